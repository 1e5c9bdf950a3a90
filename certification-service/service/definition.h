#pragma once

#include "common/service/service.h"

namespace transparency::certification::service {

// What certification-service is made of.
transparency::service::Service Definition();

}  // namespace transparency::certification::service
