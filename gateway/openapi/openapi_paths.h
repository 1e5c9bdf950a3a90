#pragma once

#include <map>
#include <string>
#include <vector>

#include "boost/json/array.hpp"
#include "gateway/contract/comments.h"
#include "gateway/contract/reasons.h"
#include "gateway/openapi/openapi_schemas.h"
#include "gateway/rest/route_table.h"

namespace transparency::gateway::openapi {

// Makes OpenAPI paths of routes. `{name=organizations/*/positions/*}` becomes
// `organizations/{organization}/positions/{position}`: each segment that is not
// literal is a parameter, named as the resource patterns of the contract name
// it. Routes of one path get the same names, whatever their fields are.
class OpenApiPaths {
 public:
  // `comments` and `schemas` outlive it.
  OpenApiPaths(const contract::FileList& files,
               const contract::Comments* comments, OpenApiSchemas* schemas);

  struct Path {
    std::string path;
    boost::json::array parameters;  // one for each of its segments
  };
  Path Of(const rest::Route& route);

  // The query parameters that the route takes for its request.
  boost::json::array QueryOf(const rest::Route& route);

 private:
  std::string NameOf(const rest::Route& route,
                     const std::vector<std::string>& segments, size_t at) const;
  boost::json::object Parameter(const rest::Route& route,
                                const std::vector<std::string>& shown,
                                size_t at, const std::string& name);
  void AddQuery(const rest::Route& route,
                const google::protobuf::Descriptor& type, rest::FieldPath* at,
                const std::string& prefix, bool required,
                boost::json::array* parameters);

  const contract::Comments& comments_;
  OpenApiSchemas& schemas_;
  std::map<std::string, std::string> by_collection_;  // centres: centre
  // Names of the parameters of each path, which is known by its literals.
  std::map<std::string, std::vector<std::string>> names_;
};

// The routes of a contract have one path and HTTP method each; the names that
// OpenAPI knows. "*" stands for several.
std::vector<std::string> OpenApiMethodsOf(const rest::Route& route);

}  // namespace transparency::gateway::openapi
