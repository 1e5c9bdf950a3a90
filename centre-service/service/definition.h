#pragma once

#include "common/service/service.h"

namespace transparency::centre::service {

// What centre-service is made of.
transparency::service::Service Definition();

}  // namespace transparency::centre::service
