#pragma once

#include <vector>

#include "absl/time/time.h"

namespace transparency::centre::domain {

// A half-open stretch of time, [from, until): one that ends where another
// begins does not overlap it.
struct Span {
  absl::Time from;
  absl::Time until;

  bool empty() const { return from >= until; }
  absl::Duration length() const { return until - from; }
  bool Overlaps(const Span& other) const {
    return from < other.until && other.from < until;
  }
  bool Contains(const Span& other) const {
    return from <= other.from && other.until <= until;
  }
  friend bool operator==(const Span& a, const Span& b) {
    return a.from == b.from && a.until == b.until;
  }
};

// In order, none empty, none touching another.
using Spans = std::vector<Span>;

// What any of `spans` covers; they may overlap and stand in any order.
Spans Union(std::vector<Span> spans);
// What both cover.
Spans Intersection(const Spans& a, const Spans& b);
// What `a` covers and `b` does not.
Spans Difference(const Spans& a, const Spans& b);
// Whether one of `spans` contains all of `span`.
bool Contains(const Spans& spans, const Span& span);

}  // namespace transparency::centre::domain
