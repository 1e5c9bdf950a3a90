#include "common/service/service.h"
#include "standards-service/service/definition.h"

int main(int argc, char** argv) {
  return transparency::service::Main(
      argc, argv, transparency::standards::service::Definition());
}
