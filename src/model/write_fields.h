// Writes a configuration as JSON, driven by its list of fields, and describes the list.
#pragma once
#include <string>
#include <vector>

#include "src/io/json.h"
#include "src/part/config.h"
#include "src/part/part_config.h"

namespace libnf {

// Writes every field, including defaults: the canonical form.
class WriteFields final : public Fields {
 public:
  explicit WriteFields(Json& object) : object_(object) {}
  void integer(const char* name, const char*, int64_t& value, int64_t, int64_t) override { object_[name] = value; }
  void real(const char* name, const char*, double& value, double, double) override { object_[name] = value; }
  void flag(const char* name, const char*, bool& value) override { object_[name] = value; }
  void text(const char* name, const char*, std::string& value, int64_t) override { object_[name] = value; }
  void integers(const char* name, const char*, std::vector<int64_t>& value, int64_t, int64_t, int64_t) override {
    object_[name] = value;
  }
  void reals(const char* name, const char*, std::vector<double>& value, double, double, int64_t) override {
    object_[name] = value;
  }
  void object(const char* name, const char* doc, Config& value) override;
  void one_of(const char* name, const char* doc, PartConfig& value) override;
  void chain(const char* name, const char* doc, std::vector<LayerSpec>& value) override;

 protected:
  void choose(const char* name, const char*, int& value, std::span<const char* const> names) override {
    object_[name] = names[static_cast<size_t>(value)];
  }
  void optional_object(const char* name, const char* doc, Config& value, bool& present) override {
    if (present) object(name, doc, value);
  }

 private:
  Json& object_;
};

// Describes fields: a list of {"name", "type", "default", bounds, "doc"}. A part has "of", the plural of its family; an
// object has its own "fields".
class DescribeFields final : public Fields {
 public:
  Json list = Json::Array();
  void integer(const char* name, const char* doc, int64_t& value, int64_t low, int64_t high) override;
  void real(const char* name, const char* doc, double& value, double low, double high) override;
  void flag(const char* name, const char* doc, bool& value) override;
  void text(const char* name, const char* doc, std::string& value, int64_t max_bytes) override;
  void integers(const char* name, const char* doc, std::vector<int64_t>& value, int64_t low, int64_t high,
                int64_t max_count) override;
  void reals(const char* name, const char* doc, std::vector<double>& value, double low, double high,
             int64_t max_count) override;
  void object(const char* name, const char* doc, Config& value) override;
  void one_of(const char* name, const char* doc, PartConfig& value) override;
  void chain(const char* name, const char* doc, std::vector<LayerSpec>& value) override;

 protected:
  void choose(const char* name, const char* doc, int& value, std::span<const char* const> names) override;
  void optional_object(const char* name, const char* doc, Config& value, bool& present) override;
};

Json written(Config& config, Json object = Json::Object());  // writes the fields into an object, which may hold others
Json describe_fields(Config& config);
// Returns {"name", "doc", "source", the facts of its family, "aliases" if it has any, "fields"}.
Json describe_part(const Family& family, const PartKind& kind);
std::vector<std::string> names_of(Config& config);  // names of the fields
std::string plural_of(const Family& family);        // "layers"

}  // namespace libnf
