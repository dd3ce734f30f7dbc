// See output.h.
#include "src/cli/common/output.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "src/cli/common/failure.h"
#include "src/cli/common/text.h"

namespace cli {
namespace {
namespace fs = std::filesystem;

// A file with a name of its own, removed at the end.
class Temporary {
 public:
  Temporary() : path_((fs::temp_directory_path() / text("nf.%ld.csv", static_cast<long>(getpid()))).string()) {}
  ~Temporary() { std::remove(path_.c_str()); }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

void print_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  char bytes[1 << 16];
  while (file.read(bytes, sizeof bytes), file.gcount() > 0)
    if (const auto n = static_cast<size_t>(file.gcount()); std::fwrite(bytes, 1, n, stdout) != n)
      throw Failure(std::string("cannot write standard output: ") + std::strerror(errno));
}
}  // namespace

void keep_inputs(const std::vector<Named>& inputs, const std::vector<Named>& outputs) {
  std::error_code ignored;
  for (const auto& [flag, path] : outputs)
    for (const auto& [name, input] : inputs)
      if (!path.empty() && !input.empty() && path != "-" && (path == input || fs::equivalent(path, input, ignored)))
        throw Failure(std::string(flag) + " " + path + " is the same file as " + name + ", which it would overwrite",
                      {}, kUsage);
}

bool to_stdout(const std::string& path) { return path.empty() || path == "-"; }

void write_rows(const nf::View& rows, const std::string& path, const std::vector<std::string>& names) {
  check_output(path);
  if (path.ends_with(".npy")) return nf::save_table(rows, path);  // has no names
  if (!to_stdout(path)) return nf::save_table(rows, path, names);
  const Temporary file;  // the library writes tables to files only
  nf::save_table(rows, file.path(), names);
  print_file(file.path());
}

void write_text(const std::string& words, const std::string& path) {
  const bool out = to_stdout(path);
  const std::string temporary = path + ".tmp";
  FILE* file = out ? stdout : std::fopen(temporary.c_str(), "wb");
  const bool written = file && std::fwrite(words.data(), 1, words.size(), file) == words.size();
  const bool closed = file && !out ? std::fclose(file) == 0 : true;
  if (written && closed && (out || std::rename(temporary.c_str(), path.c_str()) == 0)) return;
  const std::string why = std::strerror(errno);
  if (!out) std::remove(temporary.c_str());
  throw Failure("cannot write " + (out ? "standard output" : path) + ": " + why);
}

void check_folder(const std::string& path, const std::string& flag) {
  std::error_code ignored;
  const std::string what = (flag.empty() ? "" : flag + " ") + path;
  fs::path folder = fs::path(path).parent_path();
  if (folder.empty()) folder = ".";
  if (!fs::is_directory(folder, ignored))
    throw Failure(what + ": the folder " + folder.string() + " does not exist",
                  "mkdir -p " + shell_word(folder.string()));
  if (access(folder.c_str(), W_OK) != 0) throw Failure(what + ": the folder " + folder.string() + " is not writable");
}

void check_output(const std::string& path) {
  if (!to_stdout(path) && !path.ends_with(".npy") && !path.ends_with(".csv"))
    throw Failure(path + ": the output name must end in .npy or .csv, which selects the format", {}, kUsage);
  if (!to_stdout(path)) check_folder(path);
}

}  // namespace cli
