// See set.h. What the spec may hold is the library's description of it (description.h).
#include "src/cli/run/set.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "src/cli/common/description.h"
#include "src/cli/common/failure.h"
#include "src/cli/common/text.h"

namespace cli {
namespace {
using Json = nlohmann::ordered_json;
using Names = std::vector<std::string>;

constexpr char kExample[] = "for example --set layers[0].net.hidden=[64,64]";

// A value in the spec, with the description of the field that it belongs to.
struct Node {
  Json* json;
  Json field;  // of type "link": an entry of a chain, a layer or a chain of its own
  std::string path;
  std::string type() const { return field.at("type"); }
  std::string below(const std::string& name) const { return path.empty() ? name : path + "." + name; }
};

[[noreturn]] void bad(const std::string& assignment, const std::string& what, const std::string& hint = {}) {
  throw Failure("--set " + assignment + ": " + what, hint, kUsage);
}

Names names_of(const Json& fields) {
  Names names;
  for (const Json& f : fields) names.push_back(f.at("name"));
  return names;
}

bool is_layer(const Node& n) { return n.type() == "link" && n.json->is_object() && n.json->contains("type"); }

// The part that a field names: its own name or type, or the default.
std::string part_of(const Json& field, const Json& value) {
  if (value.is_string()) return value;
  if (value.is_object() && value.contains("type") && value["type"].is_string()) return value["type"];
  return field.value("default", Json::object()).value("type", "");
}

Json fields_of_part(const std::string& registry, const std::string& name) {
  const Json* part = find_part(registry, name);
  return part ? part->at("fields") : Json::array();
}

// Descriptions of the fields that a node may have.
Json fields_of(const Node& n) {
  const auto named = [](const char* name, const char* type) { return Json{{"name", name}, {"type", type}}; };
  if (n.type() == "object") return n.field.at("fields");
  Json fields = Json::array();
  if (n.type() == "part" || is_layer(n)) fields.push_back(named("type", "text"));
  if (n.type() == "link") {
    fields.push_back(named("repeat", "integer"));
    fields.push_back(named("invert", "boolean"));
    if (!is_layer(n)) fields.push_back(named("layers", "chain"));
  }
  if (n.type() == "part" || is_layer(n))
    for (Json& f : fields_of_part(n.type() == "part" ? n.field.at("of") : Json("layers"), part_of(n.field, *n.json)))
      fields.push_back(std::move(f));
  return fields;
}

std::string described(const Node& n) {
  if (n.path.empty()) return "the spec";
  if (n.path == "embedding") return "the embedding";
  if (n.type() == "link" && !is_layer(n)) return n.path + ", a chain,";
  return n.path + (n.type() == "object" ? "" : ", " + part_of(n.field, *n.json) + ",");
}

std::string suggestion(const std::string& word, const Names& names) {
  const std::string near = nearest(word, names);
  return near.empty() ? "its fields: " + join(names, ", ") : "did you mean '" + near + "'?";
}

// "layers[0].hidden" as layers, 0, hidden.
Names words_of(const std::string& path, const std::string& assignment) {
  Names words;
  for (size_t i = 0; i < path.size();) {
    const size_t bracket = path[i] == '[';
    const size_t end = bracket ? path.find(']', i) : std::min(path.find_first_of(".[", i), path.size());
    if (end == std::string::npos) bad(assignment, "'[' needs its ']'", kExample);
    words.push_back(path.substr(i + bracket, end - i - bracket));
    i = end + bracket;
    const bool dot = i < path.size() && path[i] == '.';
    if (words.back().empty() || (dot && i + 1 == path.size())) bad(assignment, "the path has an empty step", kExample);
    if (bracket && !dot && i < path.size() && path[i] != '[') bad(assignment, "']' needs a dot behind it", kExample);
    i += dot;
  }
  return words;
}

Json& element(const Node& n, const std::string& word, const std::string& assignment) {
  size_t index = 0;
  const auto [stop, error] = std::from_chars(word.data(), word.data() + word.size(), index);
  if (error != std::errc() || stop != word.data() + word.size() || index >= n.json->size())
    bad(assignment, "'" + word + "' is not an index of a list of " + std::to_string(n.json->size()),
        n.json->empty() ? "" : "from 0 to " + std::to_string(n.json->size() - 1));
  return (*n.json)[index];
}

// Names of the fields that older specs write beside this field of an object: those of some parts.
Names names_beside(const Json& field) {
  Names names;
  for (const Json& part : field.value("beside", Json::array()))
    for (const std::string& name : names_of(fields_of_part(field.at("of"), part))) names.push_back(name);
  return names;
}

// The field of an object that has `name` inside, where an older spec has it beside.
const Json* field_around(const Json& fields, const std::string& name) {
  for (const Json& f : fields) {
    const Names beside = names_beside(f);
    if (std::find(beside.begin(), beside.end(), name) != beside.end()) return &f;
  }
  return nullptr;
}

// Goes below a field of an object, which takes the form of an object for it: of a part that is only named, or a net whose
// fields stand beside its name.
Node enter(const Node& n, const Json& field) {
  const std::string name = field.at("name");
  Json& value = (*n.json)[name];
  if (field.at("type") == "part" && !value.is_object()) {
    Json object = {{"type", part_of(field, value)}};
    const Json inside = fields_of_part(field.at("of"), object["type"]);
    for (const std::string& beside : names_beside(field)) {
      if (n.json->contains(beside) && find_field(inside, beside)) object[beside] = (*n.json)[beside];
      n.json->erase(beside);
    }
    (*n.json)[name] = std::move(object);  // `value` moved when others were erased
  } else if (field.at("type") == "object" && value.is_null()) {
    value = Json::object();
  }
  return {&(*n.json)[name], field, n.below(name)};
}

// Sets the field at the end of `words`, from word number `from` on, below this node.
void set_below(Node at, const Names& words, size_t from, const Json& value, const std::string& assignment) {
  for (size_t i = from; i < words.size(); ++i) {
    const std::string& word = words[i];
    const bool last = i + 1 == words.size();
    if (at.json->is_array()) {
      Json& next = element(at, word, assignment);
      if (last) {
        next = value;
        return;
      }
      at = {&next, {{"type", at.type() == "chain" ? "link" : "value"}}, at.path + "[" + word + "]"};
      continue;
    }
    const Json fields = fields_of(at);
    if (!at.json->is_object() || fields.empty()) bad(assignment, "there is nothing below the plain value " + at.path);
    const Json* field = find_field(fields, word);
    if (!field) {
      const Json* around = field_around(fields, word);
      if (!around) {
        Names names = names_of(fields);
        for (const Json& f : fields)
          for (const std::string& name : names_beside(f)) names.push_back(name);
        bad(assignment, described(at) + " has no field '" + word + "'", suggestion(word, names));
      }
      set_below(enter(at, *around), words, i, value, assignment);
      return;
    }
    const std::string type = field->at("type");
    if (!last) {
      if (type != "part" && type != "object" && !at.json->contains(word))
        bad(assignment, described(at) + " does not write '" + word + "' out, so there is nothing below");
      at = enter(at, *field);
      continue;
    }
    if (word == "type" && at.type() == "part" && (*at.json)[word] != value) {
      *at.json = {{"type", value}};  // the fields were those of another part
      return;
    }
    if (type == "part" && value.is_object()) enter(at, *field);
    (*at.json)[word] = value;
  }
}

// Finds every node that has a field `name`: layers, chains, and parts in those, but not below "embedding". "repeat",
// "invert" and "type" count where they are written.
void find_all(const Node& n, const std::string& name, std::vector<Node>& found) {
  if (n.json->is_array()) {
    for (size_t i = 0; n.type() == "chain" && i < n.json->size(); ++i)
      find_all({&(*n.json)[i], {{"type", "link"}}, n.path + "[" + std::to_string(i) + "]"}, name, found);
    return;
  }
  const Json fields = fields_of(n);
  if (!n.json->is_object()) return;
  const bool common = name == "repeat" || name == "invert" || name == "type";
  const Json* around = find_field(fields, name) ? nullptr : field_around(fields, name);
  if (!n.path.empty() && (around || find_field(fields, name)) &&
      (!common || (n.type() != "part" && n.json->contains(name))))
    found.push_back(n);
  for (const Json& f : fields) {
    const std::string type = f.at("type"), word = f.at("name");
    if (!n.json->contains(word) || word == "embedding" || (around && around->at("name") == word)) continue;
    if (type == "chain" || type == "object" || (type == "part" && (*n.json)[word].is_object()))
      find_all({&(*n.json)[word], f, n.below(word)}, name, found);
  }
}

// The description of a field of this node, or of a part in it that older specs write beside.
Json field_at(const Node& n, const std::string& name) {
  const Json fields = fields_of(n);
  if (const Json* field = find_field(fields, name)) return *field;
  const Json* around = field_around(fields, name);
  const Json inside = fields_of_part(around->at("of"), part_of(*around, n.json->value(around->at("name"), Json())));
  const Json* field = find_field(inside, name);
  return field ? *field : Json();
}

// The kind of value that words[0] of these nodes takes; of "repeat", "invert" and "type" every place is of its own.
std::string kind_at(const Node& n, const std::string& name) {
  const bool common = name == "repeat" || name == "invert" || name == "type";
  return common ? n.path : field_at(n, name).at("type").get<std::string>();
}

Names every_field() {
  Names names = names_of(description().at("spec").at("fields"));
  names.insert(names.end(), {"repeat", "invert"});
  for (const char* registry : {"layers", "bases", "nets"})
    for (const Json& part : description().at(registry))
      for (const std::string& name : names_of(part.at("fields"))) names.push_back(name);
  return names;
}

// Whether the words after the first lead to a field of the part that this node has under the first.
bool leads_on(const Node& n, const Names& words) {
  const Json field = field_at(n, words[0]);
  if (field.is_null()) return false;
  if (words.size() == 1) return true;
  if (field.at("type") != "part") return n.json->contains(words[0]);
  const std::string part = part_of(field, n.json->value(words[0], Json()));
  return words[1] == "type" || find_field(fields_of_part(field.at("of"), part), words[1]);
}

// A path that does not start at the spec: of every layer (or the base) that has it.
void set_everywhere(const Node& root, const Names& words, const Json& value, const std::string& assignment) {
  std::vector<Node> all, found;
  find_all(root, words[0], all);
  for (const Node& n : all)
    if (leads_on(n, words)) found.push_back(n);
  const std::string path = join(words, ".");
  if (found.empty() && !all.empty()) found.push_back(all[0]);  // which says where the path ends
  if (found.empty())
    bad(assignment, "nothing in the spec has a field '" + path + "'", [&] {
      const std::string near = nearest(words[0], every_field());
      return near.empty() || near == words[0] ? "`nf parts` lists every field" : "did you mean '" + near + "'?";
    }());
  Names paths, kinds;
  for (const Node& n : found) {
    paths.push_back(n.path + "." + path);
    const std::string kind = found.size() == 1 ? "" : kind_at(n, words[0]);
    if (std::find(kinds.begin(), kinds.end(), kind) == kinds.end()) kinds.push_back(kind);
  }
  if (kinds.size() > 1) bad(assignment, "'" + path + "' could mean " + join(paths, " or "), "give the whole path");
  for (const Node& n : found) set_below(n, words, 0, value, assignment);
}
}  // namespace

std::string override_spec(const std::string& spec, const std::vector<std::string>& assignments) {
  if (assignments.empty()) return spec;
  Json json = Json::parse(spec, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return spec;  // the library says what is wrong with it
  Json schema = description().at("spec");
  schema["type"] = "object";
  const Node root{&json, schema, ""};
  const Names own = names_of(schema.at("fields"));
  for (const std::string& a : assignments) {
    const size_t equals = a.find('=');
    if (equals == std::string::npos || equals == 0) bad(a, "expected path=value", kExample);
    const std::string raw = a.substr(equals + 1);
    Json value = Json::parse(raw, nullptr, false);
    if (value.is_discarded()) value = raw;
    const Names words = words_of(a.substr(0, equals), a);
    // Of the spec itself "invert" is meant where that writes it.
    const bool at_root = std::find(own.begin(), own.end(), words[0]) != own.end() &&
                         (words[0] != "invert" || words.size() > 1 || json.contains("invert"));
    if (at_root)
      set_below(root, words, 0, value, a);
    else
      set_everywhere(root, words, value, a);
  }
  return json.dump(2);
}

}  // namespace cli
