#pragma once

#include <string>
#include <vector>

#include "boost/json/array.hpp"
#include "common/rpc/server/generic_service.h"
#include "gateway/contract/comments.h"
#include "gateway/contract/reasons.h"
#include "gateway/http/options.h"

namespace transparency::gateway {

// A table for people and programs alike: an array of objects with equal keys.
struct Table {
  std::string title;
  std::vector<std::string> keys;
  boost::json::array rows;
};

// As Markdown; an absent value is an empty cell.
std::string ToMarkdown(const Table& table);

// What each process holds its callers to. Keys: limit, value, unit.
Table ProcessLimits(const http::Options& http, const rpc::ServiceOptions& grpc);

// What each field that clients send may hold. Keys: field, max_length,
// max_items, format, required.
Table FieldLimits(const contract::ServiceList& services);

// The reasons of refusals. Keys: reason, domain, codes, meaning, advice.
Table Reasons(const contract::FileList& files,
              const contract::ServiceList& services,
              const contract::Comments& comments);

}  // namespace transparency::gateway
