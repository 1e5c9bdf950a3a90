// jemalloc 5.3 reads its settings from the variable of this name. Memory in
// pages of 2 MB: where a page fault is dear, as in virtual machines, faults on
// small pages are two thirds of the time that a snapshot takes to load. Threads
// of its own give memory back, also when a process has nothing to do any more.
extern "C" {
extern const char* malloc_conf;
const char* malloc_conf = "thp:always,background_thread:true";
}
