// Reads a configuration from JSON, driven by its list of fields.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "src/io/json.h"
#include "src/part/config.h"
#include "src/part/part_config.h"

namespace libnf {

// Reads the fields that are present in `object` and remembers which names are known. Throws Error{spec} whose message
// starts with the JSON path of the value; `path` is the path of the object.
class ReadFields final : public Fields {
 public:
  ReadFields(const Json& object, std::string path) : object_(object), path_(std::move(path)) {}
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
  void relevant(bool matters, const std::string& given) override { no_effect_with_ = matters ? "" : given; }
  bool knows(const std::string& name) const;
  // Fails on the first member of the object that is neither a field nor in `others`, suggesting the nearest.
  void finish(std::initializer_list<const char*> others);

 protected:
  void choose(const char* name, const char* doc, int& value, std::span<const char* const> names) override;
  void optional_object(const char* name, const char* doc, Config& value, bool& present) override;

 private:
  // A field of older specs, and where it belongs today.
  struct Moved {
    std::string field, into, example;
  };
  const Json* get(const char* name);
  template <class T, class Read>
  void set(const char* name, T& value, Read&& read);
  // Returns the entries of a list; a number counts as a list of one.
  std::span<const Json> list(const char* name, const Json& value, const char* right, int64_t max_count) const;
  [[noreturn]] void wrong(const std::string& at, const Json& value, const char* right) const;
  double one_number(const std::string& at, const Json& value, double low, double high) const;
  int64_t one_integer(const std::string& at, const Json& value, int64_t low, int64_t high) const;
  void read_beside(const char* name, PartConfig& value);

  const Json& object_;
  std::string path_;
  std::string no_effect_with_;  // the choice that makes the next fields irrelevant; "" if they are relevant
  std::vector<std::string> known_;
  std::vector<Moved> moved_;
};

// Reads an object that may hold these fields and "type", but nothing else.
void read_config(const Json& object, const std::string& path, Config& config);

// Reads a part: NAME or {"type": NAME, field: value, ...}.
void read_part(const Json& value, const std::string& path, PartConfig& part);

// Finds a part by name, or fails with the nearest name.
const PartKind& find_part(const Family& family, const std::string& path, const std::string& name);

}  // namespace libnf
