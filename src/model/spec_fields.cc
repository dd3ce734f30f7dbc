#include "src/model/spec_fields.h"

#include <algorithm>

#include "src/model/nearest.h"

namespace nf {

const Json* ReadFields::get(const char* name) {
  known_.emplace_back(name);
  return object_.find(name);
}

void ReadFields::wrong(const std::string& at, const Json& value, const char* right) const {
  fail(Code::spec, "%s.%s: %s is not %s", path_.c_str(), at.c_str(), shown(value).c_str(), right);
}

double ReadFields::one_number(const std::string& at, const Json& value, double low, double high) const {
  const auto number = value.number();
  if (!number || *number < low || *number > high) {
    char right[80];
    std::snprintf(right, sizeof right, "a number in [%g, %g]", low, high);
    wrong(at, value, right);
  }
  return *number;
}

int64_t ReadFields::one_integer(const std::string& at, const Json& value, int64_t low, int64_t high) const {
  const auto v = value.int64();
  if (!v || *v < low || *v > high)
    fail(Code::spec, "%s.%s: %s is not an integer in [%lld, %lld]", path_.c_str(), at.c_str(), shown(value).c_str(),
         static_cast<long long>(low), static_cast<long long>(high));
  return *v;
}

void ReadFields::integer(const char* name, const char*, int64_t& value, int64_t low, int64_t high) {
  if (const Json* v = get(name)) value = one_integer(name, *v, low, high);
}

void ReadFields::real(const char* name, const char*, double& value, double low, double high) {
  if (const Json* v = get(name)) value = one_number(name, *v, low, high);
}

void ReadFields::flag(const char* name, const char*, bool& value) {
  const Json* v = get(name);
  if (!v) return;
  if (!v->boolean()) wrong(name, *v, "true or false");
  value = *v->boolean();
}

std::optional<std::span<const Json>> ReadFields::list(const char* name, const char* right, int64_t max_count) {
  const Json* v = get(name);
  if (!v) return std::nullopt;
  if (v->number()) return std::span(v, 1);
  const Json::Array* items = v->array();
  if (!items) wrong(name, *v, right);
  if (static_cast<int64_t>(items->size()) > max_count)
    fail(Code::spec, "%s.%s: a list of %zu entries, at most %lld are allowed", path_.c_str(), name, items->size(),
         static_cast<long long>(max_count));
  return std::span<const Json>(*items);
}

void ReadFields::integers(const char* name, const char*, std::vector<int64_t>& value, int64_t low, int64_t high,
                          int64_t max_count) {
  const auto items = list(name, "a list of integers", max_count);
  if (!items) return;
  value.clear();
  for (size_t i = 0; i < items->size(); ++i)
    value.push_back(one_integer(std::string(name) + "[" + std::to_string(i) + "]", (*items)[i], low, high));
}

void ReadFields::reals(const char* name, const char*, std::vector<double>& value, double low, double high,
                       int64_t max_count) {
  const auto items = list(name, "a list of numbers", max_count);
  if (!items) return;
  value.clear();
  for (size_t i = 0; i < items->size(); ++i)
    value.push_back(one_number(std::string(name) + "[" + std::to_string(i) + "]", (*items)[i], low, high));
}

void ReadFields::choose(const char* name, const char*, int& value, std::span<const char* const> names) {
  const Json* v = get(name);
  if (!v) return;
  std::string right = "one of";
  for (size_t i = 0; i < names.size(); ++i) {
    right += std::string(i ? ", \"" : " \"") + names[i] + "\"";
    if (v->string() && *v->string() == names[i]) {
      value = static_cast<int>(i);
      return;
    }
  }
  wrong(name, *v, right.c_str());
}

void ReadFields::finish(std::initializer_list<const char*> others) {
  known_.insert(known_.end(), others.begin(), others.end());
  for (const auto& [key, value] : *object_.object()) {
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    const std::string near = nearest(key, known_);
    if (!near.empty())
      fail(Code::spec, "%s: unknown field \"%.40s\", did you mean \"%s\"?", path_.c_str(), key.c_str(), near.c_str());
    std::string list;
    for (const std::string& k : known_)
      if (k != "type") list += (list.empty() ? "" : ", ") + k;  // which says whose fields these are
    fail(Code::spec, "%s: unknown field \"%.40s\"; known: %s", path_.c_str(), key.c_str(),
         list.empty() ? "none" : list.c_str());
  }
}

void DescribeFields::integer(const char* name, const char* doc, int64_t& value, int64_t low, int64_t high) {
  list.append({{"name", name}, {"type", "integer"}, {"default", value}, {"min", low}, {"max", high}, {"doc", doc}});
}
void DescribeFields::real(const char* name, const char* doc, double& value, double low, double high) {
  list.append({{"name", name}, {"type", "number"}, {"default", value}, {"min", low}, {"max", high}, {"doc", doc}});
}
void DescribeFields::flag(const char* name, const char* doc, bool& value) {
  list.append({{"name", name}, {"type", "boolean"}, {"default", value}, {"doc", doc}});
}
void DescribeFields::integers(const char* name, const char* doc, std::vector<int64_t>& value, int64_t low, int64_t high,
                              int64_t max_count) {
  list.append({{"name", name},
               {"type", "integers"},
               {"default", value},
               {"min", low},
               {"max", high},
               {"max_count", max_count},
               {"doc", doc}});
}
void DescribeFields::reals(const char* name, const char* doc, std::vector<double>& value, double low, double high,
                           int64_t max_count) {
  list.append({{"name", name},
               {"type", "numbers"},
               {"default", value},
               {"min", low},
               {"max", high},
               {"max_count", max_count},
               {"doc", doc}});
}
void DescribeFields::choose(const char* name, const char* doc, int& value, std::span<const char* const> names) {
  Json choices = Json::Array(names.begin(), names.end());
  list.append({{"name", name},
               {"type", "choice"},
               {"default", names[static_cast<size_t>(value)]},
               {"choices", choices},
               {"doc", doc}});
}

}  // namespace nf
