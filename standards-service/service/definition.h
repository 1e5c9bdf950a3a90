#pragma once

#include "common/service/service.h"

namespace transparency::standards::service {

// What standards-service is made of.
transparency::service::Service Definition();

}  // namespace transparency::standards::service
