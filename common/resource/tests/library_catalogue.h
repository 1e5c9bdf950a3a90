#pragma once

#include <memory>
#include <utility>

#include "absl/time/time.h"
#include "common/resource/item.h"
#include "common/resource/kind.h"
#include "common/resource/tests/library.pb.h"
#include "gtest/gtest.h"

namespace transparency::resource {

// The kinds of tests/library.proto.
inline std::unique_ptr<const Catalogue> LibraryCatalogue() {
  auto catalogue = std::make_unique<Catalogue>();
  EXPECT_TRUE(catalogue->Add<library::v1::Shelf>({}).ok());
  EXPECT_TRUE(catalogue->Add<library::v1::Book>({}).ok());
  return catalogue;
}

inline ItemPtr MakeItem(const Kind& kind,
                        const google::protobuf::Message& message) {
  Item::Stored stored;
  stored.message.reset(message.New());
  stored.message->CopyFrom(message);
  stored.revision = 0;
  return Item::Make(kind, std::move(stored), absl::UnixEpoch());
}

}  // namespace transparency::resource
