// See input.h.
#include "src/cli/common/input.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "src/cli/common/failure.h"
#include "src/cli/common/file_kind.h"
#include "src/cli/common/pictures.h"

namespace cli {
namespace {

// Returns the content of a pipe, socket or terminal, or that of pictures as a .npy; nullptr for a file of a table.
const std::string* read_once(const std::string& path) {
  if (holds_pictures(path)) return &read_pictures(path).npy;
  static std::map<std::string, std::string> contents;
  std::error_code ignored;
  if (path != "-") {
    const auto status = std::filesystem::status(path, ignored);
    if (!std::filesystem::is_fifo(status) && !std::filesystem::is_socket(status) && path != "/dev/stdin")
      return nullptr;
  }
  const auto [at, is_new] = contents.try_emplace(path);
  if (!is_new) return &at->second;
  FILE* file = path == "-" ? stdin : std::fopen(path.c_str(), "rb");
  if (!file) throw Failure("cannot open " + path + ": " + std::strerror(errno));
  if (path == "-" && isatty(fileno(stdin)))
    std::fprintf(stderr, "nf: reading rows from the terminal; end with Ctrl-D\n");
  std::string chunk(1 << 16, '\0');
  while (const size_t n = std::fread(chunk.data(), 1, chunk.size(), file)) at->second.append(chunk, 0, n);
  const bool failed = std::ferror(file) != 0;
  if (path != "-") std::fclose(file);
  if (failed) throw Failure("cannot read " + shown_path(path) + ": " + std::strerror(errno));
  return &at->second;
}

// Calls f, and turns what it throws into a Failure with the flags that help.
template <class F>
auto explained(const std::string& path, const F& f) {
  try {
    return f();
  } catch (const nf::Exception& e) {
    const std::string kind = kind_of_file(path);
    if (kind == "a model" || kind == "JSON")
      throw Failure(path + " is not a table: it looks like " + kind, "data must be a .npy, .npz or CSV file");
    if (const std::string hint = flag_hint(e.what()); !hint.empty()) throw Failure(e.what(), hint);
    throw;
  }
}

TableFacts parse_facts(const std::string& text) {
  const auto j = nlohmann::json::parse(text);
  TableFacts f;
  f.format = j.at("format");
  f.columns = j.at("columns");
  f.dtype = j.value("dtype", "");
  f.header = j.value("header", false);
  if (j.contains("names")) f.names = j.at("names").get<std::vector<std::string>>();
  if (j.contains("numeric")) f.numeric = j.at("numeric").get<std::vector<bool>>();
  return f;
}

TableFacts describe(const nf::Runtime& runtime, const std::string& path, const Settings& settings) {
  const std::string* bytes = read_once(path);
  return parse_facts(bytes ? nf::Table::describe_bytes(runtime, *bytes, shown_path(path), settings.options({"table"}))
                           : nf::Table::describe(runtime, path, settings.options({"table"})));
}
}  // namespace

bool TableFacts::fits_float32() const {
  for (const char* name : {"bool", "int8", "uint8", "float16", "float32"})
    if (dtype == name) return true;
  return false;
}

std::string shown_path(const std::string& path) { return path == "-" ? "standard input" : path; }

std::string flag_hint(const std::string& message) {
  const std::pair<const char*, const char*> hints[] = {
      {"set header to", "--header present: the first line holds names; --header absent: it is data"},
      {"set missing to \"drop\"",
       "--missing drop leaves such rows out; or fill them in, or leave the column out with --columns"},
      {"set decimal to \",\"", "--decimal ,"},
      {"set array to", "--array NAME"},
      {"set columns to", "--columns A,B,.. takes names or indices from 0"},
  };
  std::string out;
  for (const auto& [said, flag] : hints)
    if (message.find(said) != std::string::npos) out += (out.empty() ? "" : "; ") + std::string(flag);
  if (const size_t at = message.find("set columns to those with numbers: "); at != std::string::npos)
    out = "--columns " + message.substr(at + std::strlen("set columns to those with numbers: "));
  return out;
}

TableFacts describe_file(const nf::Runtime& runtime, const std::string& path, const Settings& settings,
                         const std::vector<std::string>& known) {
  return explained(path, [&] {
    if (!known.empty() && !settings.has("table.header")) {
      Settings present = settings;
      present.set("table.header", "present");
      TableFacts f = describe(runtime, path, present);
      const auto has = [&](const std::string& name) {
        return std::find(f.names.begin(), f.names.end(), name) != f.names.end();
      };
      if (f.format == "csv" && std::all_of(known.begin(), known.end(), has)) return f;
    }
    return describe(runtime, path, settings);
  });
}

nf::Table open_table(const nf::Runtime& runtime, const std::string& path, const Settings& settings) {
  return explained(path, [&] {
    const std::string* bytes = read_once(path);
    return bytes ? nf::Table::parse(runtime, *bytes, shown_path(path), settings.options({"table"}))
                 : nf::Table(runtime, path, settings.options({"table"}));
  });
}

}  // namespace cli
