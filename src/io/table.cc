// Loads and saves tables; see table.h.
#include "src/io/table.h"

#include <algorithm>

#include "runtime/core/status.h"
#include "src/io/atomic_file.h"
#include "src/io/csv_dialect.h"
#include "src/io/inflate.h"
#include "src/io/npy.h"
#include "src/io/quote.h"
#include "src/io/table_parts.h"
#include "src/io/zip.h"

namespace libnf {
namespace {

// Recognizes common other formats, to fail with advice instead of "line 1, column 1: '\x89HDF...' is not a number".
void refuse_known_formats(std::string_view bytes, const char* source) {
  struct Known {
    std::string_view magic;
    const char* advice;
  };
  static constexpr Known kKnown[] = {
      {"BZh", "it is compressed with bzip2; decompress it first"},
      {"\xFD"
       "7zXZ",
       "it is compressed with xz; decompress it first"},
      {"\x28\xB5\x2F\xFD", "it is compressed with zstd; decompress it first"},
      {"\x89HDF", "it is HDF5; save the data as .npy or CSV"},
      {"PAR1", "it is Parquet; save the data as .npy or CSV"},
      {"{\"", "it is JSON; save the data as .npy or CSV"},
  };
  for (const Known& k : kKnown)
    if (bytes.starts_with(k.magic)) fail(Code::format, "%s: %s", source, k.advice);
}

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// The arrays of a .npz: its members that end in .npy.
struct Archive {
  std::vector<ZipMember> arrays;
  std::vector<std::string> names, shown;  // "X", and "X (100, 5)"
  std::vector<int> ranks;
};

Archive open_archive(const Allocator& allocator, std::span<const std::byte> file, const TableOptions& options,
                     const char* source) {
  Archive a;
  for (ZipMember& m : list_zip(file, source)) {
    if (!m.name.ends_with(".npy")) continue;
    GrowingBytes content(allocator, options.max_bytes, source);
    a.names.push_back(m.name.substr(0, m.name.size() - 4));
    a.shown.push_back(a.names.back());
    a.ranks.push_back(-1);
    try {  // an array of text beside one of numbers is no reason to fail
      read_zip(file, m, content, source);
      const NpyHeader h = parse_npy_header(content.bytes(), source);
      a.ranks.back() = h.shape.rank;
      a.shown.back() += " " + to_string(h.shape);
    } catch (const Error& e) {
      if (e.code() != Code::format) throw;
    }
    a.arrays.push_back(std::move(m));
  }
  if (a.arrays.empty())
    fail(Code::format, "%s: it is a zip archive without .npy arrays (.xlsx?); save the data as .npz, .npy or CSV",
         source);
  return a;
}

// Returns the index of the array to read, or -1 if it is unclear.
int64_t choose_array(const Archive& a, const TableOptions& options, const char* source) {
  const auto shown = [&] {
    std::string list;
    for (const std::string& s : a.shown) list += (list.empty() ? "" : ", ") + s;
    return list.size() > 90 ? list.substr(0, 90) + "..." : list;
  };
  if (!options.array.empty()) {
    const auto at = std::find(a.names.begin(), a.names.end(), options.array);
    if (at == a.names.end())
      fail(Code::argument, "%s: no array %s; it has %s", source, quote_text(options.array).c_str(), shown().c_str());
    return at - a.names.begin();
  }
  if (a.arrays.size() == 1) return 0;
  const auto matrix = [](int rank) { return rank >= 2; };
  if (std::count_if(a.ranks.begin(), a.ranks.end(), matrix) == 1)
    return std::find_if(a.ranks.begin(), a.ranks.end(), matrix) - a.ranks.begin();
  fail(Code::format, "%s: it has %zu arrays (%s); set array to the one to read", source, a.arrays.size(),
       shown().c_str());
}

// Calls read(bytes, what, format, memory) with what is inside of a compressed file or archive, in `memory` that read may
// take, or with the bytes themselves and nullptr.
template <class F>
auto unpacked(const Allocator& allocator, std::span<const std::byte> bytes, const char* source,
              const TableOptions& options, const F& read) {
  if (is_zip(bytes)) {
    const Archive a = open_archive(allocator, bytes, options, source);
    const auto i = static_cast<size_t>(choose_array(a, options, source));
    GrowingBytes content(allocator, options.max_bytes, source);
    read_zip(bytes, a.arrays[i], content, source);
    return read(content.bytes(), (std::string(source) + ", array " + a.names[i]).c_str(), "npz", &content);
  }
  if (!options.array.empty())
    fail(Code::argument, "%s: array %s is given, but the file is not a .npz archive", source,
         quote_text(options.array).c_str());
  if (is_gzip(bytes)) {
    GrowingBytes content(allocator, options.max_bytes, source);
    gunzip(bytes, content, source);
    bytes = content.bytes();
    return read(bytes, source, array_format(bytes) ? array_format(bytes) : "csv", &content);
  }
  return read(bytes, source, array_format(bytes) ? array_format(bytes) : "csv", static_cast<GrowingBytes*>(nullptr));
}

void read_csv_table(const Allocator& allocator, std::span<const std::byte> bytes, const TableOptions& options,
                    const char* source, Table* t) {
  refuse_known_formats(text_of(bytes), source);
  if (t->dtype == DType::u8)
    fail(Code::argument, "%s: it is a text, and dtype \"uint8\" is for arrays of bytes: use \"float32\"", source);
  CsvMatrix m = t->dtype == DType::f64 ? read_csv<double>(allocator, text_of(bytes), options.csv, source)
                                       : read_csv<float>(allocator, text_of(bytes), options.csv, source);
  t->data = std::move(m.data);
  t->rows = m.rows;
  t->cols = m.cols;
  t->shape = {m.rows, m.cols};
  t->names = std::move(m.names);
  t->places = std::move(m.places);
  t->ids = std::move(m.ids);
  t->dropped = m.dropped;
  if (m.dropped) t->first_dropped = "line " + std::to_string(m.first_dropped_line);
}

std::string dtype_name(const NpyHeader& h) {
  if (h.kind == NpyHeader::Kind::boolean) return "bool";
  const char* kind = h.kind == NpyHeader::Kind::real ? "float" : h.kind == NpyHeader::Kind::signed_int ? "int" : "uint";
  return kind + std::to_string(8 * h.item_bytes);
}

void refuse_wrong_name(const char* path, std::span<const std::byte> bytes, const char* source) {
  const bool archive = is_zip(bytes) || is_gzip(bytes);
  if (std::string_view(path).ends_with(".npy") && !is_npy(bytes) && !archive)
    fail(Code::format, "%s: not a .npy file (it does not start with \\x93NUMPY)", source);
  if (std::string_view(path).ends_with(".npz") && !archive)
    fail(Code::format, "%s: not a .npz file (it is no zip archive)", source);
  if (std::string_view(path).ends_with(".gz") && !archive)
    fail(Code::format, "%s: not a .gz file (it does not start with \\x1F\\x8B)", source);
}

void check_matrix(const View& m) {
  if (m.shape.rank != 2 || !m.contiguous()) fail(Code::argument, "the table to save must be a contiguous matrix");
}

}  // namespace

Table parse_table(const Allocator& allocator, std::span<const std::byte> bytes, const char* source,
                  const TableOptions& options) {
  return unpacked(allocator, bytes, source, options,
                  [&](std::span<const std::byte> content, const char* what, const char*, GrowingBytes* memory) {
                    Table t;
                    t.dtype = options.dtype;
                    if (array_format(content) && memory && take_bytes(*memory, options, what, &t)) return t;
                    if (array_format(content))
                      read_npy_table(allocator, content, options, what, &t);
                    else
                      read_csv_table(allocator, content, options, what, &t);
                    return t;
                  });
}

Table load_table(const Allocator& allocator, const char* path, const TableOptions& options) {
  const std::string source = quote_path(path);
  Table mapped;
  struct stat st;
  const bool regular = ::stat(path, &st) != 0 || S_ISREG(st.st_mode);
  if (regular && map_table(path, options, source, &mapped)) return mapped;
  const FileBytes file = FileBytes::read_or_wait(allocator, path, options.max_bytes);
  refuse_wrong_name(path, file.bytes(), source.c_str());
  Table t = parse_table(allocator, file.bytes(), source.c_str(), options);
  t.why_not_mapped = mapped.why_not_mapped;
  return t;
}

TableFacts describe_table(const Allocator& allocator, std::span<const std::byte> bytes, const char* source,
                          const TableOptions& options) {
  return unpacked(allocator, bytes, source, options,
                  [&](std::span<const std::byte> content, const char* what, const char* format, GrowingBytes*) {
                    TableFacts f;
                    f.format = format;
                    if (array_format(content)) {
                      const NpyHeader h = parse_array_header(content, what);
                      f.columns = h.row_elements();
                      f.dtype = dtype_name(h);
                      return f;
                    }
                    refuse_known_formats(text_of(content), what);
                    CsvDialect d = find_dialect(without_bom(text_of(content), what), options.csv, what);
                    f.separator = d.separator;
                    f.header = d.header;
                    f.names = std::move(d.names);
                    f.numeric = std::move(d.numeric);
                    f.columns = d.columns;
                    return f;
                  });
}

TableFacts describe_table(const Allocator& allocator, const char* path, const TableOptions& options) {
  const std::string source = quote_path(path);
  const FileBytes file = FileBytes::map(path, options.max_bytes);
  refuse_wrong_name(path, file.bytes(), source.c_str());
  return describe_table(allocator, file.bytes(), source.c_str(), options);
}

void save_npy(const char* path, const View& m) {
  if (!m.contiguous()) fail(Code::argument, "the array to save must be contiguous");
  AtomicFile file(path);
  write_npy(file, m.dtype, m.shape, m.data);
  file.commit();
}

void save_csv(const char* path, const View& m, std::span<const std::string> names) {
  check_matrix(m);
  AtomicFile file(path);
  if (m.dtype == DType::f64)
    write_csv(file, m.as<double>(), m.rows(), m.cols(), names);
  else
    write_csv(file, m.as<float>(), m.rows(), m.cols(), names);
  file.commit();
}

}  // namespace libnf
