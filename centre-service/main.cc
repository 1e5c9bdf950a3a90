#include "centre-service/service/definition.h"
#include "common/service/service.h"

int main(int argc, char** argv) {
  return transparency::service::Main(
      argc, argv, transparency::centre::service::Definition());
}
