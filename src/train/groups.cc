#include "src/train/groups.h"

#include <algorithm>

#include "src/io/json.h"
#include "src/model/nearest.h"
#include "src/model/read_fields.h"

namespace libnf {
namespace {

constexpr int64_t kMaxPatterns = 4096;  // bytes

std::vector<std::string> patterns_of(const GroupConfig& g) {
  std::vector<std::string> all;
  for (size_t at = 0; at <= g.match.size();) {
    const size_t comma = std::min(g.match.find(',', at), g.match.size());
    std::string word = g.match.substr(at, comma - at);
    const auto blank = [](char c) { return c == ' '; };
    word.erase(word.begin(), std::find_if_not(word.begin(), word.end(), blank));
    word.erase(std::find_if_not(word.rbegin(), word.rend(), blank).base(), word.end());
    all.push_back(std::move(word));
    at = comma + 1;
  }
  return all;
}

GroupConfig read_group(const Json& j, const std::string& path, const GroupConfig& rest) {
  if (!j.object())
    fail(Code::spec, "%s: %s is not an object {\"match\": PATTERN, ...}", path.c_str(), shown(j).c_str());
  GroupConfig g;
  g.optimizer = rest.optimizer;
  g.clip = rest.clip;
  if (const Json* kind = j.find("optimizer")) {
    OptimizerConfig fresh;
    const Json only = {{"optimizer", *kind}};
    read_config(only, path, fresh);
    if (fresh.kind != rest.optimizer.kind) {
      fresh.lr = rest.optimizer.lr;
      g.optimizer = fresh;
    }
  }
  read_config(j, path, g);
  g.own_norm = j.find("clip_norm") != nullptr;
  if (g.match.empty()) fail(Code::spec, "%s.match is missing: expected a pattern of parameter names", path.c_str());
  if (g.freeze)
    for (const auto& [key, value] : *j.object())
      if (key != "match" && key != "freeze")
        fail(Code::spec, "%s.%.40s has no effect with \"freeze\": true; leave it out", path.c_str(), key.c_str());
  return g;
}

}  // namespace

void GroupConfig::fields(Fields& f) {
  f.text("match", "patterns of parameter names, separated by commas; * stands for any characters, ? for one", match,
         kMaxPatterns);
  f.flag("freeze", "do not train these parameters", freeze);
  optimizer.fields(f);
  clip.fields(f);
}

std::vector<GroupConfig> read_groups(std::string_view json, const GroupConfig& rest) {
  std::vector<GroupConfig> groups;
  if (json.empty()) return groups;
  const Json list = parse_json(json, "groups", Code::spec, kMaxGroupBytes, 8);
  if (!list.array()) fail(Code::spec, "groups: %s is not a list of groups", shown(list).c_str());
  for (size_t i = 0; i < list.array()->size(); ++i)
    groups.push_back(read_group((*list.array())[i], "groups[" + std::to_string(i) + "]", rest));
  return groups;
}

bool matches(std::string_view pattern, std::string_view name) {
  size_t p = 0, n = 0, star = std::string_view::npos, resume = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = n;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n])) {
      ++p;
      ++n;
    } else if (star != std::string_view::npos) {  // lets the last star match one more character
      p = star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::vector<int> assign_groups(const ParamStore& store, const std::vector<GroupConfig>& groups) {
  const auto& slots = store.slots();
  const int rest = static_cast<int>(groups.size());
  std::vector<int> assigned(slots.size());
  for (size_t i = 0; i < slots.size(); ++i) assigned[i] = slots[i].trainable ? rest : -1;
  for (int k = 0; k < rest; ++k) {
    for (const std::string& pattern : patterns_of(groups[static_cast<size_t>(k)])) {
      int taken = 0;
      bool any = false;
      std::vector<std::string> names;
      for (size_t i = 0; i < slots.size(); ++i) {
        if (!slots[i].trainable) continue;
        names.push_back(slots[i].name);
        if (!matches(pattern, slots[i].name)) continue;
        if (assigned[i] == rest || assigned[i] == k) {
          assigned[i] = k;
          any = true;
        } else {
          taken = assigned[i] + 1;
        }
      }
      if (any) continue;
      if (taken)
        fail(Code::spec, "groups[%d].match: \"%.60s\" matches only parameters that groups[%d] has already", k,
             pattern.c_str(), taken - 1);
      const std::string near = nearest(pattern, names);
      fail(Code::spec, "groups[%d].match: \"%.60s\" matches no trainable parameter; %s%s", k, pattern.c_str(),
           near.empty() ? "they are: " : "the nearest is ",
           near.empty() ? known_names(names, 100).c_str() : ("\"" + near + "\"").c_str());
    }
  }
  return assigned;
}

std::vector<Range> ranges_of(const ParamStore& store, const std::vector<int>& assigned, int group) {
  // Trainable slots in order of their offsets; a range ends where the next slot begins.
  std::vector<size_t> order;
  for (size_t i = 0; i < assigned.size(); ++i)
    if (assigned[i] >= 0) order.push_back(i);
  const auto& slots = store.slots();
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return slots[a].offset != slots[b].offset ? slots[a].offset < slots[b].offset : a < b;
  });
  std::vector<Range> ranges;
  for (size_t k = 0; k < order.size(); ++k) {
    const int64_t begin = slots[order[k]].offset,
                  end = k + 1 < order.size() ? slots[order[k + 1]].offset : store.trainable_size();
    if (assigned[order[k]] != group || begin == end) continue;
    if (!ranges.empty() && ranges.back().end == begin)
      ranges.back().end = end;
    else
      ranges.push_back({begin, end});
  }
  return ranges;
}

}  // namespace libnf
