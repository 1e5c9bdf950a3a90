#pragma once

#include "gateway/contract/comments.h"
#include "gateway/contract/reasons.h"
#include "gateway/openapi/openapi_schemas.h"

namespace transparency::gateway::openapi {

// Adds the component "Error", the body of a refusal as error_answer.h writes
// it, with what it holds: "Error.Reason", the reasons of the contract, and one
// schema for each kind of detail.
void AddErrorSchemas(const contract::FileList& files,
                     const contract::ServiceList& services,
                     const contract::Comments& comments,
                     OpenApiSchemas* schemas);

}  // namespace transparency::gateway::openapi
