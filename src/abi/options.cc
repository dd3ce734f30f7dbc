#include "src/abi/options.h"

#include <unistd.h>

#include <charconv>
#include <cmath>
#include <cstring>
#include <thread>
#include <vector>

#include "src/abi/guard.h"
#include "src/io/json.h"
#include "src/model/nearest.h"

namespace nf {
namespace {

constexpr double kMax = kMaxInteger;  // 2^53: exact in a double

struct Key {
  const char* name;
  const char* scope;
  const char* doc;
  const char* type;  // integer, number, boolean, choice, text
  double low, high, fallback;
  std::span<const char* const> choices;
};

constexpr const char* kMemory[] = {"full", "recompute"};
constexpr const char* kNonFinite[] = {"propagate", "error"};
constexpr const char* kDtype[] = {"float32", "float64"};
constexpr const char* kHeader[] = {"detect", "present", "absent"};
constexpr const char* kOrder[] = {"shuffle", "replacement", "sequential", "blocks"};
constexpr const char* kMap[] = {"auto", "on", "off"};

const char* type_name(FieldType t) {
  return t == FieldType::flag      ? "boolean"
         : t == FieldType::choice  ? "choice"
         : t == FieldType::integer ? "integer"
                                   : "number";
}

template <class C>
void add_fields(std::vector<Key>& keys, std::span<const Field<C>> fields) {
  for (const Field<C>& f : fields)
    keys.push_back({f.name, "trainer", f.doc, type_name(f.type), f.min, f.max, f.fallback, f.choices});
}

const std::vector<Key>& keys() {
  static const std::vector<Key> all = [] {
    std::vector<Key> k = {
        {"threads",
         "runtime",
         "threads that work, the calling one included; 0 = one per core",
         "integer",
         0,
         1024,
         0,
         {}},
        {"max_bytes",
         "runtime",
         "limit on the memory in use by all children; 0 = three quarters of the machine's",
         "integer",
         0,
         kMax,
         0,
         {}},
        {"max_file_bytes", "load, table", "largest file that is read; 0 = no limit", "integer", 0, kMax, 0, {}},
        {"nonfinite", "session", "rows that are not finite: leave NaN or -infinity in the result, or fail", "choice", 0,
         1, 0, kNonFinite},
        {"memory", "trainer", "what the forward pass keeps for gradients: everything, or inputs of layers only",
         "choice", 0, 1, 0, kMemory},
        {"max_steps", "trainer", "length of the run that schedules with an end aim at", "integer", 0, kMax, 0, {}},
        {"seed",
         "trainer, batches, metropolis",
         "seed of dropout, samples and the order of the data",
         "integer",
         0,
         kMax,
         0,
         {}},
        {"batch", "batches", "rows of a batch", "integer", 1, 1 << 30, 256, {}},
        {"order", "batches",
         "epochs in random order, rows drawn with replacement, epochs in the order of the file, or shuffled block by "
         "block for files larger than memory",
         "choice", 0, 3, 0, kOrder},
        {"block",
         "batches",
         "rows that stay together in order blocks, and in parts",
         "integer",
         1,
         1 << 30,
         Part{}.block,
         {}},
        {"part_begin",
         "batches",
         "take part in the batches: blocks from this share of the rows on",
         "number",
         0,
         1,
         0,
         {}},
        {"part_end", "batches", "take part in the batches: blocks up to this share of the rows", "number", 0, 1, 1, {}},
        {"part_seed", "batches", "which blocks are in which share", "integer", 0, kMax, 0, {}},
        {"step_size",
         "metropolis",
         "standard deviation of a step of the random walk",
         "number",
         1e-9,
         1e9,
         MetropolisConfig{}.step_size,
         {}},
        {"burn_in",
         "metropolis",
         "steps of each chain before the first that is kept",
         "integer",
         0,
         kMax,
         static_cast<double>(MetropolisConfig{}.burn_in),
         {}},
        {"thin",
         "metropolis",
         "steps of each chain from one state that is kept to the next",
         "integer",
         1,
         kMax,
         static_cast<double>(MetropolisConfig{}.thin),
         {}},
        {"map", "table", "use the rows of a .npy in place in its file: from 1 GiB, always or never", "choice", 0, 2, 0,
         kMap},
        {"dtype", "table", "type of the numbers in memory", "choice", 0, 1, 0, kDtype},
        {"columns",
         "table",
         "columns to take, by index from 0 or name, separated by commas; empty = all",
         "text",
         0,
         0,
         0,
         {}},
        {"header", "table", "whether the first row of a CSV file holds names", "choice", 0, 2, 0, kHeader},
        {"separator", "table", "one of , ; | or tab; empty = find out", "text", 0, 0, 0, {}},
    };
    add_fields(k, optimizer_fields());
    add_fields(k, schedule_fields());
    add_fields(k, clip_fields());
    add_fields(k, ema_fields());
    add_fields(k, objective_fields());
    return k;
  }();
  return all;
}

const Key& find(const char* name) {
  if (!name) fail(Code::argument, "key is NULL");
  std::vector<std::string> names;
  for (const Key& k : keys()) {
    if (std::strcmp(k.name, name) == 0) return k;
    names.emplace_back(k.name);
  }
  const std::string near = nearest(name, names);
  if (near.empty()) fail(Code::spec, "unknown option \"%.40s\" (nf_options_describe lists all)", name);
  fail(Code::spec, "unknown option \"%.40s\", did you mean \"%s\"?", name, near.c_str());
}

bool is(const Key& k, const char* type) { return std::strcmp(k.type, type) == 0; }

void set_number(nf_options& o, const Key& k, double v) {
  if (is(k, "text")) fail(Code::spec, "option \"%s\" takes a text, not a number: %s", k.name, k.doc);
  if (is(k, "choice")) fail(Code::spec, "option \"%s\" takes a name, not a number: %s", k.name, k.doc);
  if (!(v >= k.low && v <= k.high))
    fail(Code::spec, "option \"%s\" = %g is outside [%.9g, %.9g]: %s", k.name, v, k.low, k.high, k.doc);
  if (!is(k, "number") && v != std::floor(v))
    fail(Code::spec, "option \"%s\" = %g must be a whole number: %s", k.name, v, k.doc);
  o.numbers[k.name] = v;
}

void set_text(nf_options& o, const Key& k, const char* text) {
  if (!text) fail(Code::argument, "value of option \"%s\" is NULL", k.name);
  if (is(k, "text")) {
    o.texts[k.name] = text;
    return;
  }
  if (!is(k, "choice")) fail(Code::spec, "option \"%s\" takes a number, not \"%.40s\": %s", k.name, text, k.doc);
  std::string list;
  for (size_t i = 0; i < k.choices.size(); ++i) {
    if (std::strcmp(k.choices[i], text) == 0) {
      o.numbers[k.name] = static_cast<double>(i);
      return;
    }
    list += std::string(i ? ", " : "") + k.choices[i];
  }
  fail(Code::spec, "option \"%s\" = \"%.40s\" is none of: %s", k.name, text, list.c_str());
}

void parse(nf_options& o, const Key& k, const char* text) {
  if (!text) fail(Code::argument, "value of option \"%s\" is NULL", k.name);
  if (is(k, "text") || is(k, "choice")) return set_text(o, k, text);
  if (is(k, "boolean")) {
    if (std::strcmp(text, "true") == 0) return set_number(o, k, 1);
    if (std::strcmp(text, "false") == 0) return set_number(o, k, 0);
  }
  double v = 0;
  const char* end = text + std::strlen(text);
  const auto [stop, error] = std::from_chars(text, end, v);
  if (error != std::errc() || stop != end)
    fail(Code::spec, "option \"%s\" = \"%.40s\" is not a%s: %s", k.name, text,
         is(k, "boolean")   ? " boolean (true or false)"
         : is(k, "integer") ? "n integer"
                            : " number",
         k.doc);
  set_number(o, k, v);
}

double number(const nf_options* o, const char* name) {
  const Key& k = find(name);
  if (!o) return k.fallback;
  const auto it = o->numbers.find(name);
  return it == o->numbers.end() ? k.fallback : it->second;
}

std::string text(const nf_options* o, const char* name) {
  if (!o) return "";
  const auto it = o->texts.find(name);
  return it == o->texts.end() ? "" : it->second;
}

template <class C>
void read_fields(const nf_options* o, std::span<const Field<C>> fields, C& config) {
  for (const Field<C>& f : fields) f.set(config, number(o, f.name));
  check_fields(fields, config);
}

std::vector<ColumnRef> columns_of(const std::string& list) {
  std::vector<ColumnRef> columns;
  for (size_t at = 0; at < list.size() + 1 && !list.empty();) {
    const size_t comma = std::min(list.find(',', at), list.size());
    const std::string word = list.substr(at, comma - at);
    ColumnRef c;
    const auto [stop, error] = std::from_chars(word.data(), word.data() + word.size(), c.index);
    if (error != std::errc() || stop != word.data() + word.size()) {
      c.index = -1;
      c.name = word;
    }
    columns.push_back(c);
    at = comma + 1;
  }
  return columns;
}

}  // namespace

RuntimeOptions runtime_options(const nf_options* o) {
  RuntimeOptions r;
  r.threads = static_cast<uint32_t>(number(o, "threads"));
  if (r.threads == 0) r.threads = std::max(1u, std::thread::hardware_concurrency());
  r.max_bytes = static_cast<size_t>(number(o, "max_bytes"));
  if (r.max_bytes == 0) {
    const long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    r.max_bytes = pages > 0 && size > 0 ? static_cast<size_t>(pages) * static_cast<size_t>(size) / 4 * 3 : SIZE_MAX;
  }
  return r;
}

size_t load_limit(const nf_options* o) {
  const double v = number(o, "max_file_bytes");
  return v > 0 ? static_cast<size_t>(v) : FileBytes::kNoLimit;
}

NonFinite session_options(const nf_options* o) { return static_cast<NonFinite>(number(o, "nonfinite")); }

TrainerConfig trainer_options(const nf_options* o) {
  TrainerConfig c;
  read_fields(o, optimizer_fields(), c.optimizer);
  read_fields(o, schedule_fields(), c.schedule);
  read_fields(o, clip_fields(), c.clip);
  read_fields(o, ema_fields(), c.ema);
  read_fields(o, objective_fields(), c.objective);
  c.memory = static_cast<Memory>(number(o, "memory"));
  c.seed = static_cast<uint64_t>(number(o, "seed"));
  c.max_steps = static_cast<uint64_t>(number(o, "max_steps"));
  return c;
}

MetropolisConfig metropolis_options(const nf_options* o) {
  return {number(o, "step_size"), static_cast<int64_t>(number(o, "burn_in")), static_cast<int64_t>(number(o, "thin")),
          static_cast<uint64_t>(number(o, "seed"))};
}

TableOptions table_options(const nf_options* o) {
  TableOptions t;
  t.dtype = number(o, "dtype") == 0 ? DType::f32 : DType::f64;
  t.map = static_cast<MapFile>(number(o, "map"));
  t.csv.header = static_cast<CsvOptions::Header>(number(o, "header"));
  const std::string separator = text(o, "separator");
  if (separator.size() > 1)
    fail(Code::spec, "option \"separator\" = \"%.40s\" is not one character", separator.c_str());
  t.csv.separator = separator.empty() ? '\0' : separator[0];
  t.csv.columns = columns_of(text(o, "columns"));
  t.max_bytes = load_limit(o);
  return t;
}

BatchOptions batch_options(const nf_options* o) {
  return {static_cast<int64_t>(number(o, "batch")),
          static_cast<Order>(number(o, "order")),
          static_cast<uint64_t>(number(o, "seed")),
          {static_cast<int64_t>(number(o, "block")), number(o, "part_begin"), number(o, "part_end"),
           static_cast<uint64_t>(number(o, "part_seed"))}};
}

}  // namespace nf

using namespace nf;

extern "C" {

const char* nf_options_describe(void) NF_NOEXCEPT {
  try {
    static const std::string text = [] {
      Json list = Json::Array();
      for (const Key& k : keys()) {
        Json j = {{"name", k.name}, {"for", k.scope}, {"type", k.type}};
        if (is(k, "choice")) {
          j["default"] = k.choices[static_cast<size_t>(k.fallback)];
          j["choices"] = Json::Array(k.choices.begin(), k.choices.end());
        } else if (is(k, "text")) {
          j["default"] = "";
        } else if (is(k, "boolean")) {
          j["default"] = k.fallback != 0;
        } else {
          const bool whole = is(k, "integer");
          const auto value = [&](double v) { return whole ? Json(static_cast<int64_t>(v)) : Json(v); };
          j["default"] = value(k.fallback);
          j["min"] = value(k.low);
          j["max"] = value(k.high);
        }
        j["doc"] = k.doc;
        list.append(std::move(j));
      }
      return list.dump();
    }();
    return text.c_str();
  } catch (...) {
    return nullptr;
  }
}

nf_status nf_options_create(nf_options** out, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(out, "out");  // first: in an assignment the right side would come before
    *out = new nf_options();
  });
}
nf_status nf_options_set_i64(nf_options* o, const char* key, int64_t value, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(o, "options");
    const Key& k = find(key);
    // 2^53 + 1 would round to 2^53 and pass.
    if (value > static_cast<int64_t>(kMax) || value < -static_cast<int64_t>(kMax))
      fail(Code::spec, "option \"%s\" = %lld is outside [%g, %g]: %s", k.name, static_cast<long long>(value), k.low,
           k.high, k.doc);
    set_number(*o, k, static_cast<double>(value));
  });
}
nf_status nf_options_set_f64(nf_options* o, const char* key, double value, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] { set_number(need(o, "options"), find(key), value); });
}
nf_status nf_options_set_str(nf_options* o, const char* key, const char* value, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] { set_text(need(o, "options"), find(key), value); });
}
nf_status nf_options_set(nf_options* o, const char* key, const char* value, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] { parse(need(o, "options"), find(key), value); });
}
void nf_options_free(nf_options* o) NF_NOEXCEPT { delete o; }

}  // extern "C"
