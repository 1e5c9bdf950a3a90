#include "centre-service/domain/span.h"

#include <algorithm>
#include <utility>

namespace transparency::centre::domain {

Spans Union(std::vector<Span> spans) {
  std::sort(spans.begin(), spans.end(),
            [](const Span& a, const Span& b) { return a.from < b.from; });
  Spans joined;
  for (const Span& span : spans) {
    if (span.empty()) continue;
    if (!joined.empty() && span.from <= joined.back().until) {
      joined.back().until = std::max(joined.back().until, span.until);
    } else {
      joined.push_back(span);
    }
  }
  return joined;
}

Spans Intersection(const Spans& a, const Spans& b) {
  Spans common;
  auto x = a.begin();
  auto y = b.begin();
  while (x != a.end() && y != b.end()) {
    const Span both{std::max(x->from, y->from), std::min(x->until, y->until)};
    if (!both.empty()) common.push_back(both);
    if (x->until < y->until) {
      ++x;
    } else {
      ++y;
    }
  }
  return common;
}

Spans Difference(const Spans& a, const Spans& b) {
  Spans rest;
  auto taken = b.begin();
  for (Span span : a) {
    while (taken != b.end() && taken->until <= span.from) ++taken;
    for (auto next = taken; next != b.end() && next->from < span.until;
         ++next) {
      if (span.from < next->from) rest.push_back({span.from, next->from});
      span.from = std::min(next->until, span.until);
    }
    if (!span.empty()) rest.push_back(span);
  }
  return rest;
}

bool Contains(const Spans& spans, const Span& span) {
  return std::any_of(spans.begin(), spans.end(),
                     [&](const Span& s) { return s.Contains(span); });
}

}  // namespace transparency::centre::domain
