#include "src/model/read_fields.h"

#include <algorithm>

#include "src/flow/chain.h"
#include "src/io/number.h"
#include "src/model/nearest.h"
#include "src/model/write_fields.h"

namespace libnf {
namespace {

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Returns the path of entry i of a list. A plain number given instead of a list has the path of the list.
std::string element(const char* name, const Json& list, size_t i) {
  return list.array() ? std::string(name) + "[" + std::to_string(i) + "]" : name;
}

LayerSpec read_layer(const Json& j, const std::string& path);

void read_layers(const Json& list, const std::string& path, std::vector<LayerSpec>& layers) {
  const Json::Array* items = list.array();
  if (!items) fail(Code::spec, "%s: %s is not a list of layers", path.c_str(), shown(list).c_str());
  layers.clear();
  for (size_t i = 0; i < items->size(); ++i)
    layers.push_back(read_layer((*items)[i], path + "[" + std::to_string(i) + "]"));
  expanded_size(layers, path);  // checks it
}

LayerSpec read_layer(const Json& j, const std::string& path) {
  if (!j.object())
    fail(Code::spec, "%s: %s is not a layer; write {\"type\": NAME, ...} or {\"layers\": [...]}", path.c_str(),
         shown(j).c_str());
  const Json *chain = j.find("layers"), *type = j.find("type");
  if (!chain && !type) fail(Code::spec, "%s: a layer has either \"type\" or \"layers\"", path.c_str());
  LayerSpec s;
  ReadFields read(j, path);
  read.integer("repeat", "", s.repeat, 1, kMaxLayers);
  read.flag("invert", "", s.invert);
  if (!type) {
    read.finish({"layers"});
    read_layers(*chain, path + ".layers", s.layers);
    return s;
  }
  if (!type->string()) fail(Code::spec, "%s.type: %s is not a name", path.c_str(), shown(*type).c_str());
  s.kind = static_cast<const LayerKind*>(&find_part(Registry<LayerKind>::family(), path + ".type", *type->string()));
  s.config = s.kind->config();
  bool per_pixel = false;
  read.flag("per_pixel", "", per_pixel);
  if (j.find("per_pixel")) s.per_pixel = per_pixel;
  s.config->fields(read);
  if (chain && !read.knows("layers"))
    fail(Code::spec, "%s: a layer has either \"type\" or \"layers\", not both", path.c_str());
  read.finish({"type"});
  return s;
}

}  // namespace

const PartKind& find_part(const Family& family, const std::string& path, const std::string& name) {
  if (const PartKind* kind = family.find(name)) return *kind;
  std::vector<std::string> names;
  for (const PartKind* k : family.parts) names.emplace_back(k->name);
  const std::string alias = known_as(family.word, name), near = nearest(name, names);
  const std::string meant = !alias.empty() ? alias : near.empty() ? near : "\"" + near + "\"";
  if (!meant.empty())
    fail(Code::spec, "%s: unknown %s \"%.40s\"; did you mean %s?", path.c_str(), family.word, name.c_str(),
         meant.c_str());
  const std::string known = known_names(names, size_t{244} - std::min<size_t>(path.size(), 110) - 75);
  fail(Code::spec, "%s: unknown %s \"%.40s\"; known: %s", path.c_str(), family.word, name.c_str(), known.c_str());
}

void read_config(const Json& object, const std::string& path, Config& config) {
  ReadFields read(object, path);
  config.fields(read);
  read.finish({"type"});
}

void read_part(const Json& value, const std::string& path, PartConfig& part) {
  const Json* type = value.object() ? value.find("type") : value.string() ? &value : nullptr;
  if (!type)
    fail(Code::spec, "%s: %s is not a %s; write \"%s\" or {\"type\": \"%s\", ...}", path.c_str(), shown(value).c_str(),
         part.family().word, part.part().name, part.part().name);
  if (!type->string()) fail(Code::spec, "%s.type: %s is not a name", path.c_str(), shown(*type).c_str());
  part.choose(find_part(part.family(), path + (value.object() ? ".type" : ""), *type->string()));
  if (value.object()) read_config(value, path, part.config());
}

bool ReadFields::knows(const std::string& name) const { return contains(known_, name); }

const Json* ReadFields::get(const char* name) {
  if (!knows(name)) known_.emplace_back(name);
  return object_.find(name);
}

template <class T, class Read>
void ReadFields::set(const char* name, T& value, Read&& read) {
  const Json* v = get(name);
  if (!v) return;
  T now = read(*v);
  if (!no_effect_with_.empty() && now != value)
    fail(Code::spec, "%s.%s: %s has no effect with %s; leave it out", path_.c_str(), name, shown(*v).c_str(),
         no_effect_with_.c_str());
  value = std::move(now);
}

void ReadFields::wrong(const std::string& at, const Json& value, const char* right) const {
  fail(Code::spec, "%s.%s: %s is not %s", path_.c_str(), at.c_str(), shown(value).c_str(), right);
}

double ReadFields::one_number(const std::string& at, const Json& value, double low, double high) const {
  const auto number = value.number();
  if (!number || !(*number >= low && *number <= high)) {  // NaN is refused, too
    wrong(at, value, ("a number in [" + shown_number(low) + ", " + shown_number(high) + "]").c_str());
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

std::span<const Json> ReadFields::list(const char* name, const Json& value, const char* right,
                                       int64_t max_count) const {
  if (value.number()) return std::span(&value, 1);
  const Json::Array* items = value.array();
  if (!items) wrong(name, value, right);
  if (static_cast<int64_t>(items->size()) > max_count)
    fail(Code::spec, "%s.%s: a list of %zu entries, at most %lld are allowed", path_.c_str(), name, items->size(),
         static_cast<long long>(max_count));
  return *items;
}

void ReadFields::integer(const char* name, const char*, int64_t& value, int64_t low, int64_t high) {
  set(name, value, [&](const Json& v) { return one_integer(name, v, low, high); });
}

void ReadFields::real(const char* name, const char*, double& value, double low, double high) {
  set(name, value, [&](const Json& v) { return one_number(name, v, low, high); });
}

void ReadFields::flag(const char* name, const char*, bool& value) {
  set(name, value, [&](const Json& v) {
    if (!v.boolean()) wrong(name, v, "true or false");
    return *v.boolean();
  });
}

void ReadFields::text(const char* name, const char*, std::string& value, int64_t max_bytes) {
  set(name, value, [&](const Json& v) {
    if (!v.string()) wrong(name, v, "a text in quotes");
    if (static_cast<int64_t>(v.string()->size()) > max_bytes)
      fail(Code::spec, "%s.%s: a text of %zu bytes, at most %lld are allowed", path_.c_str(), name, v.string()->size(),
           static_cast<long long>(max_bytes));
    return *v.string();
  });
}

void ReadFields::integers(const char* name, const char*, std::vector<int64_t>& value, int64_t low, int64_t high,
                          int64_t max_count) {
  set(name, value, [&](const Json& v) {
    std::vector<int64_t> all;
    const auto items = list(name, v, "a list of integers", max_count);
    for (size_t i = 0; i < items.size(); ++i) all.push_back(one_integer(element(name, v, i), items[i], low, high));
    return all;
  });
}

void ReadFields::reals(const char* name, const char*, std::vector<double>& value, double low, double high,
                       int64_t max_count) {
  set(name, value, [&](const Json& v) {
    std::vector<double> all;
    const auto items = list(name, v, "a list of numbers", max_count);
    for (size_t i = 0; i < items.size(); ++i) all.push_back(one_number(element(name, v, i), items[i], low, high));
    return all;
  });
}

void ReadFields::choose(const char* name, const char*, int& value, std::span<const char* const> names) {
  set(name, value, [&](const Json& v) {
    std::string right = "one of";
    for (size_t i = 0; i < names.size(); ++i) {
      right += std::string(i ? ", \"" : " \"") + names[i] + "\"";
      if (v.string() && *v.string() == names[i]) return static_cast<int>(i);
    }
    wrong(name, v, right.c_str());
  });
}

void ReadFields::object(const char* name, const char*, Config& value) {
  const Json* v = get(name);
  if (!v) return;
  if (!v->object()) wrong(name, *v, ("an object such as " + shown(written(value))).c_str());
  ReadFields read(*v, path_ + "." + name);
  value.fields(read);
  read.finish({});
}

void ReadFields::optional_object(const char* name, const char* doc, Config& value, bool& present) {
  if (get(name)) {
    present = true;
    object(name, doc, value);
  }
}

void ReadFields::one_of(const char* name, const char*, PartConfig& value) {
  const Json* v = get(name);
  if (v) read_part(*v, path_ + "." + name, value);
  if (!value.beside.empty()) read_beside(name, value);
}

// Older specs write the fields of some parts next to the field that names the part. Then the fields of all such parts
// are read, whichever part is named. Next to an object they are an error, which says where they belong.
void ReadFields::read_beside(const char* name, PartConfig& value) {
  const Json* v = object_.find(name);
  const auto named = std::find_if(value.beside.begin(), value.beside.end(),
                                  [&](const char* part) { return value.part().name == std::string_view(part); });
  const bool old = (!v || v->string()) && named != value.beside.end();
  for (const char* part : value.beside) {
    const auto config = value.default_config(*value.family().find(part));
    if (old)
      (part == *named ? value.config() : *config).fields(*this);
    else
      for (const std::string& field : names_of(*config))
        moved_.push_back(
            {field, name,
             "\"" + std::string(name) + "\": {\"type\": \"" + value.part().name + "\", \"" + field + "\": ...}"});
  }
}

void ReadFields::chain(const char* name, const char*, std::vector<LayerSpec>& value) {
  if (const Json* v = get(name)) read_layers(*v, path_ + "." + name, value);
}

void ReadFields::finish(std::initializer_list<const char*> others) {
  known_.insert(known_.end(), others.begin(), others.end());
  for (const auto& [key, value] : *object_.object()) {
    if (knows(key)) continue;
    std::vector<std::string> names = known_;
    for (const Moved& m : moved_) {
      if (key == m.field)
        fail(Code::spec, "%s.%.40s: belongs inside \"%s\": write %s", path_.c_str(), key.c_str(), m.into.c_str(),
             m.example.c_str());
      names.push_back(m.field);
    }
    std::string near = nearest(key, names);
    for (const Moved& m : moved_)
      if (near == m.field && !knows(near)) near = m.into + "." + near;
    if (!near.empty())
      fail(Code::spec, "%s: unknown field \"%.40s\"; did you mean \"%s\"?", path_.c_str(), key.c_str(), near.c_str());
    std::string list;
    for (const std::string& k : known_)
      if (k != "type") list += (list.empty() ? "" : ", ") + k;  // "type" says whose fields these are
    fail(Code::spec, "%s: unknown field \"%.40s\"; known: %s", path_.c_str(), key.c_str(),
         list.empty() ? "none" : list.c_str());
  }
}

}  // namespace libnf
