// The visitors that drive a configuration's field list from and to JSON.
#pragma once
#include <string>
#include <vector>

#include "src/io/json.h"
#include "src/part/fields.h"

namespace nf {

// Reads the fields present in `object` and remembers which keys it knew. Errors: Error{spec} at `path`.
class ReadFields final : public Fields {
 public:
  ReadFields(const Json& object, std::string path) : object_(object), path_(std::move(path)) {}
  void integer(const char* name, const char* doc, int64_t& value, int64_t low, int64_t high) override;
  void real(const char* name, const char* doc, double& value, double low, double high) override;
  void flag(const char* name, const char* doc, bool& value) override;
  void integers(const char* name, const char* doc, std::vector<int64_t>& value, int64_t low, int64_t high,
                int64_t max_count) override;
  void reals(const char* name, const char* doc, std::vector<double>& value, double low, double high,
             int64_t max_count) override;
  // Fails on the first key of the object that is neither a field nor in `others`, suggesting the nearest.
  void finish(std::initializer_list<const char*> others);

 protected:
  void choose(const char* name, const char* doc, int& value, std::span<const char* const> names) override;

 private:
  const Json* get(const char* name);
  // Nothing when the field is not there; a number is a list of one.
  std::optional<std::span<const Json>> list(const char* name, const char* right, int64_t max_count);
  [[noreturn]] void wrong(const std::string& at, const Json& value, const char* right) const;
  double one_number(const std::string& at, const Json& value, double low, double high) const;
  int64_t one_integer(const std::string& at, const Json& value, int64_t low, int64_t high) const;
  const Json& object_;
  std::string path_;
  std::vector<std::string> known_;
};

class WriteFields final : public Fields {
 public:
  explicit WriteFields(Json& object) : object_(object) {}
  void integer(const char* name, const char*, int64_t& value, int64_t, int64_t) override { object_[name] = value; }
  void real(const char* name, const char*, double& value, double, double) override { object_[name] = value; }
  void flag(const char* name, const char*, bool& value) override { object_[name] = value; }
  void integers(const char* name, const char*, std::vector<int64_t>& value, int64_t, int64_t, int64_t) override {
    object_[name] = value;
  }
  void reals(const char* name, const char*, std::vector<double>& value, double, double, int64_t) override {
    object_[name] = value;
  }

 protected:
  void choose(const char* name, const char*, int& value, std::span<const char* const> names) override {
    object_[name] = names[static_cast<size_t>(value)];
  }

 private:
  Json& object_;
};

// One object {name, type, default, bounds, doc} per field.
class DescribeFields final : public Fields {
 public:
  Json list = Json::Array();
  void integer(const char* name, const char* doc, int64_t& value, int64_t low, int64_t high) override;
  void real(const char* name, const char* doc, double& value, double low, double high) override;
  void flag(const char* name, const char* doc, bool& value) override;
  void integers(const char* name, const char* doc, std::vector<int64_t>& value, int64_t low, int64_t high,
                int64_t max_count) override;
  void reals(const char* name, const char* doc, std::vector<double>& value, double low, double high,
             int64_t max_count) override;

 protected:
  void choose(const char* name, const char* doc, int& value, std::span<const char* const> names) override;
};

}  // namespace nf
