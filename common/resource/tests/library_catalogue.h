#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "common/fields/tests/library.pb.h"
#include "common/resource/item.h"
#include "common/resource/kind.h"
#include "gtest/gtest.h"

namespace transparency::resource {

// The kinds of tests/library.proto.
inline std::unique_ptr<const Catalogue> LibraryCatalogue() {
  auto catalogue = std::make_unique<Catalogue>();
  EXPECT_TRUE(catalogue->Add<library::v1::Shelf>({}).ok());
  EXPECT_TRUE(catalogue->Add<library::v1::Book>({}).ok());
  return catalogue;
}

// As a load makes it, in bytes alone.
inline ItemPtr MakeItem(const Kind& kind,
                        const google::protobuf::Message& message) {
  const std::string body = message.SerializeAsString();
  Item::StoredBytes stored;
  stored.body = body;
  stored.revision = 0;
  std::unique_ptr<google::protobuf::Message> scratch;
  return Item::Read(kind, stored, absl::UnixEpoch(), &scratch);
}

}  // namespace transparency::resource
