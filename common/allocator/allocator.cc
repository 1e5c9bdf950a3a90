// jemalloc 5.3 reads its settings from the variable of this name. Memory in
// pages of 2 MB: where a page fault is dear, as in virtual machines, faults on
// small pages are two thirds of the time that a snapshot takes to load.
extern "C" {
extern const char* malloc_conf;
const char* malloc_conf = "thp:always";
}
