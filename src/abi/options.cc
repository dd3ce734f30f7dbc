#include "src/abi/options.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <thread>
#include <vector>

#include "src/abi/guard.h"
#include "src/abi/option_synonyms.h"
#include "src/abi/sink.h"
#include "src/io/number.h"
#include "src/model/nearest.h"
#include "src/model/read_fields.h"
#include "src/model/write_fields.h"

namespace libnf {
namespace {

constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
constexpr double kExact = 9007199254740992.0;  // 2^53

// ---- what each scope reads; the fields of trainers are in src/train/trainer_config.h ----

struct RuntimeFields : Config {
  int64_t threads = 0, max_bytes = 0;
  void fields(Fields& f) override {
    f.integer("threads", "threads that work, the calling one included; 0 = one per core", threads, 0, 1024);
    f.integer("max_bytes", "limit on the memory in use by all children; 0 = three quarters of the machine's", max_bytes,
              0, kMax);
  }
};

struct LoadFields : Config {
  int64_t max_file_bytes = 0;
  void fields(Fields& f) override {
    f.integer("max_file_bytes", "largest file that is read; 0 = no limit", max_file_bytes, 0, kMax);
  }
  size_t limit() const { return max_file_bytes > 0 ? static_cast<size_t>(max_file_bytes) : FileBytes::kNoLimit; }
};

struct ModelFileFields : Config {
  LoadFields load;
  bool verify = false;
  void fields(Fields& f) override {
    load.fields(f);
    f.flag("verify", "score the rows that nf_model_set_self_test stored in the file, and compare", verify);
  }
};

struct SessionFields : Config {
  NonFinite nonfinite = NonFinite::propagate;
  int64_t score_samples = 1, score_seed = 0, threads = 0, block_rows = 0;
  bool gradients = false;
  void fields(Fields& f) override {
    f.integer("threads", "threads of the runtime that one call may use; 0 = all. Memory is proportional to it", threads,
              0, 1024);
    f.integer(
        "block_rows",
        "rows that a thread processes at once, at most; 0 = as many as are fast. Results are the same to the bit; "
        "where calls have few rows, few take less memory and time to create the session",
        block_rows, 0, kMaxBlockRows);
    f.flag("gradients", "reserve memory for gradients at once, instead of at the first call that needs it", gradients);
    static constexpr const char* kNonFinite[] = {"propagate", "error"};
    f.choice("nonfinite", "results that are not finite: leave NaN or -infinity in them, or fail", nonfinite,
             kNonFinite);
    f.integer("score_samples",
              "draws per row where log_prob is a bound: more of them make it tighter, and cost as much more",
              score_samples, 1, 1 << 20);
    f.integer("score_seed", "seed of these draws", score_seed, 0, kMax);
  }
};

struct BatchFields : Config {
  int64_t batch = 256, seed = 0, smallest = 1, part_seed = 0;
  Order order = Order::shuffle;
  bool flip = false;
  Part part;
  void fields(Fields& f) override {
    static constexpr const char* kOrder[] = {"shuffle", "replacement", "sequential", "blocks"};
    f.integer("batch", "rows of a batch", batch, 1, 1 << 30);
    f.choice(
        "order",
        "epochs in random order, rows drawn with replacement, epochs in the order of the file, or shuffled block by "
        "block for files larger than memory",
        order, kOrder);
    f.integer("seed", "seed of the order of the data", seed, 0, kMax);
    f.flag("flip",
           "mirror images left to right: each row of each epoch with probability 1/2, the same rows for the same seed",
           flip);
    f.integer("block", "rows that stay together in order blocks, and in parts", part.block, 1, 1 << 30);
    f.integer("smallest",
              "rows that the last batch of an epoch has at least, for models with \"batch_norm\": fewer join the batch "
              "before it",
              smallest, 1, 1 << 30);
    f.real("part_begin", "start of the share of the rows that is used, as a fraction of all blocks", part.begin, 0, 1);
    f.real("part_end", "end of the share of the rows that is used, as a fraction of all blocks", part.end, 0, 1);
    f.integer("part_seed", "which blocks are in which share", part_seed, 0, kMax);
  }
};

struct MetropolisFields : Config {
  MetropolisConfig c;
  int64_t seed = 0;
  void fields(Fields& f) override {
    f.real("step_size", "standard deviation of a step of the random walk", c.step_size, 1e-9, 1e9);
    f.integer("burn_in", "steps of each chain before the first that is kept", c.burn_in, 0, kMax);
    f.integer("thin", "keep every N-th state of each chain", c.thin, 1, kMax);
    f.integer("seed", "seed of the chains", seed, 0, kMax);
  }
};

struct TableFields : Config {
  MapFile map = MapFile::automatic;
  enum class Type : uint8_t { f32, f64, u8 } dtype = Type::f32;
  CsvOptions::Header header = CsvOptions::Header::detect;
  Missing missing = Missing::error;
  std::string columns, separator, decimal = ".", where, id, array;
  LoadFields load;
  void fields(Fields& f) override {
    static constexpr const char* kMissing[] = {"error", "drop", "keep"};
    static constexpr const char* kMap[] = {"auto", "on", "off"};
    static constexpr const char* kDtype[] = {"float32", "float64", "uint8"};
    static constexpr const char* kHeader[] = {"detect", "present", "absent"};
    f.choice("map", "use the rows of a .npy in place in its file: from 1 GiB, always or never", map, kMap);
    f.choice("dtype", "type of the numbers in memory; uint8 is for arrays of bytes, such as images", dtype, kDtype);
    f.text("columns",
           "columns to take, by index from 0 or name, separated by commas; a name in double quotes may have any "
           "characters; empty = all",
           columns, 1 << 20);
    f.choice("header", "whether the first row of a CSV file holds names", header, kHeader);
    f.text("separator", "one of , ; | tab or space (for any blanks); empty = find out", separator, 1 << 20);
    f.text("decimal", "decimal mark of a CSV file, . or ,", decimal, 1 << 20);
    f.choice("missing", "a row with a missing value, NaN or infinity: fail, leave it out, or read NaN", missing,
             kMissing);
    f.text("where", "read only these rows: \"age >= 18 and kind == adult\"; empty = all", where, 1 << 20);
    f.text("id", "column of texts that name the rows; no data unless columns lists it; empty = none", id, 1 << 20);
    f.text("array", "which array of a .npz file; empty = the only one, or the only one with rows and columns", array,
           1 << 20);
    load.fields(f);
  }
};

template <class C>
std::unique_ptr<Config> make() {
  return std::make_unique<C>();
}

constexpr struct {
  const char* name;
  std::unique_ptr<Config> (*config)();
} kScopes[] = {{"runtime", make<RuntimeFields>}, {"load", make<ModelFileFields>},
               {"session", make<SessionFields>}, {"trainer", make<TrainerConfig>},
               {"fit", make<FitConfig>},         {"batches", make<BatchFields>},
               {"table", make<TableFields>},     {"metropolis", make<MetropolisFields>}};

// ---- the table of all keys ----

struct Key {
  enum Type : uint8_t { integer, number, boolean, choice, text };
  std::string name, scope, doc;
  Type type;
  Json fallback;
  double low = 0, high = 0;     // of numbers
  int64_t first = 0, last = 0;  // of integers
  std::vector<std::string> choices = {};
  std::vector<std::string> choice_docs = {};
};

constexpr const char* kTypes[] = {"integer", "number", "boolean", "choice", "text"};

// Adds the fields of a scope to the keys, "trainer.lr". Parts of one choice may share a field.
class KeyFields final : public Fields {
 public:
  KeyFields(std::vector<Key>& keys, const char* scope) : keys_(keys), scope_(scope) {}
  void integer(const char* name, const char* doc, int64_t& value, int64_t low, int64_t high) override {
    Key& k = add(name, doc, Key::integer, value);
    k.first = low;
    k.last = high;
  }
  void real(const char* name, const char* doc, double& value, double low, double high) override {
    Key& k = add(name, doc, Key::number, value);
    k.low = low;
    k.high = high;
  }
  void flag(const char* name, const char* doc, bool& value) override { add(name, doc, Key::boolean, value); }
  void text(const char* name, const char* doc, std::string& value, int64_t) override {
    add(name, doc, Key::text, value);
  }
  // The part, and the fields of every part that it can be.
  void one_of(const char* name, const char* doc, PartConfig& value) override {
    Key& k = add(name, doc, Key::choice, value.part().name);
    k.choices.clear();
    k.choice_docs.clear();
    for (const PartKind* part : value.family().parts) {
      k.choices.emplace_back(part->name);
      k.choice_docs.emplace_back(part->doc);
    }
    for (const PartKind* part : value.family().parts) part->config()->fields(*this);
  }
  void integers(const char* name, const char*, std::vector<int64_t>&, int64_t, int64_t, int64_t) override {
    no_option(name);
  }
  void reals(const char* name, const char*, std::vector<double>&, double, double, int64_t) override { no_option(name); }
  void object(const char* name, const char*, Config&) override { no_option(name); }
  void chain(const char* name, const char*, std::vector<LayerSpec>&) override { no_option(name); }

 protected:
  void choose(const char* name, const char* doc, int& value, std::span<const char* const> names) override {
    add(name, doc, Key::choice, names[static_cast<size_t>(value)]).choices.assign(names.begin(), names.end());
  }
  void optional_object(const char* name, const char*, Config&, bool&) override { no_option(name); }

 private:
  [[noreturn]] static void no_option(const char* name) { fail(Code::internal, "\"%s\" has no type of options", name); }
  Key& add(const char* name, const char* doc, Key::Type type, Json fallback) {
    const std::string key = std::string(scope_) + "." + name;
    for (Key& k : keys_)
      if (k.name == key) return k;
    return keys_.emplace_back(Key{key, scope_, doc, type, std::move(fallback)});
  }
  std::vector<Key>& keys_;
  const char* scope_;
};

const std::vector<Key>& keys() {
  static const std::vector<Key> all = [] {
    std::vector<Key> k;
    for (const auto& scope : kScopes) {
      KeyFields fields(k, scope.name);
      scope.config()->fields(fields);
    }
    return k;
  }();
  return all;
}

// "trainer.lr" for "lr"; a list if several scopes have it.
std::string keys_ending(const std::string& name) {
  std::string found;
  for (const Key& k : keys())
    if (k.name.size() > name.size() && k.name.ends_with("." + name))
      found += (found.empty() ? "\"" : " or \"") + k.name + "\"";
  return found;
}

const Key& find(const char* name) {
  if (!name) fail(Code::argument, "key is NULL");
  std::vector<std::string> names;
  for (const Key& k : keys()) {
    if (k.name == name) return k;
    names.push_back(k.name);
  }
  std::string near = keys_ending(name);
  if (near.empty()) {
    near = nearest(name, names);
    if (!near.empty()) near = "\"" + near + "\"";
  }
  if (near.empty()) {  // without a scope, with another one, or a name that other libraries have
    for (std::string& n : names) n = n.substr(n.find('.') + 1);
    for (const OptionSynonym& s : option_synonyms()) names.emplace_back(s.name);
    const std::string_view word = name;
    std::string last = nearest(std::string(word.substr(word.find('.') + 1)), names);
    for (const OptionSynonym& s : option_synonyms())
      if (last == s.name) last = s.key;
    if (!last.empty()) near = keys_ending(last);
  }
  if (near.empty()) fail(Code::spec, "unknown option \"%.40s\" (nf_options_describe lists all)", name);
  fail(Code::spec, "unknown option \"%.40s\"; did you mean %s?", name, near.c_str());
}

// ---- setting ----

void set_integer(nf_options& o, const Key& k, int64_t v) {
  if (v < k.first || v > k.last)
    fail(Code::spec, "option \"%s\" = %lld is outside [%lld, %lld]: %s", k.name.c_str(), static_cast<long long>(v),
         static_cast<long long>(k.first), static_cast<long long>(k.last), k.doc.c_str());
  o.values[k.name] = v;
}

void set_number(nf_options& o, const Key& k, double v) {
  const bool whole = v == std::floor(v) && std::abs(v) <= kExact;
  switch (k.type) {
    case Key::text:
      fail(Code::spec, "option \"%s\" takes a text, not a number: %s", k.name.c_str(), k.doc.c_str());
    case Key::choice:
      fail(Code::spec, "option \"%s\" takes a name, not a number: %s", k.name.c_str(), k.doc.c_str());
    case Key::boolean:
      if (v != 0 && v != 1)
        fail(Code::spec, "option \"%s\" = %s is neither 0 nor 1: %s", k.name.c_str(), shown_number(v).c_str(),
             k.doc.c_str());
      o.values[k.name] = v == 1;
      return;
    case Key::integer:
      if (whole) return set_integer(o, k, static_cast<int64_t>(v));
      if (v == std::floor(v))
        fail(Code::spec, "option \"%s\" = %s is outside [%lld, %lld]: %s", k.name.c_str(), shown_number(v).c_str(),
             static_cast<long long>(k.first), static_cast<long long>(k.last), k.doc.c_str());
      fail(Code::spec, "option \"%s\" = %s is not a whole number: %s", k.name.c_str(), shown_number(v).c_str(),
           k.doc.c_str());
    case Key::number:
      if (!(v >= k.low && v <= k.high))  // also refuses NaN
        fail(Code::spec, "option \"%s\" = %s is outside [%s, %s]: %s", k.name.c_str(), shown_number(v).c_str(),
             shown_number(k.low).c_str(), shown_number(k.high).c_str(), k.doc.c_str());
      o.values[k.name] = v;
  }
}

void set_text(nf_options& o, const Key& k, const char* text) {
  if (!text) fail(Code::argument, "value of option \"%s\" is NULL", k.name.c_str());
  if (k.type == Key::text) {
    o.values[k.name] = std::string(text);
    return;
  }
  if (k.type != Key::choice)
    fail(Code::spec, "option \"%s\" takes a number, not \"%.40s\": %s", k.name.c_str(), text, k.doc.c_str());
  std::string list;
  for (const std::string& choice : k.choices) {
    if (choice == text) {
      o.values[k.name] = choice;
      return;
    }
    list += (list.empty() ? "" : ", ") + choice;
  }
  fail(Code::spec, "option \"%s\" = \"%.40s\" is none of: %s", k.name.c_str(), text, list.c_str());
}

template <class T>
bool reads(const char* text, T* value) {
  const char* end = text + std::strlen(text);
  const auto [stop, error] = std::from_chars(text, end, *value);
  return error == std::errc() && stop == end;
}

void parse(nf_options& o, const Key& k, const char* text) {
  if (!text) fail(Code::argument, "value of option \"%s\" is NULL", k.name.c_str());
  if (k.type == Key::text || k.type == Key::choice) return set_text(o, k, text);
  if (k.type == Key::boolean) {
    if (std::strcmp(text, "true") == 0) return set_number(o, k, 1);
    if (std::strcmp(text, "false") == 0) return set_number(o, k, 0);
  }
  int64_t whole = 0;
  if (k.type == Key::integer && reads(text, &whole)) return set_integer(o, k, whole);
  double v = 0;
  if (reads(text, &v)) return set_number(o, k, v);
  fail(Code::spec, "option \"%s\" = \"%.40s\" is not a%s: %s", k.name.c_str(), text,
       k.type == Key::boolean   ? " boolean (true or false)"
       : k.type == Key::integer ? "n integer"
                                : " number",
       k.doc.c_str());
}

// ---- reading ----

// The options of a scope that were set, without its name.
Json values_of(const nf_options* o, std::string_view scope) {
  Json all = Json::Object();
  if (o)
    for (const auto& [key, value] : o->values)
      if (key.size() > scope.size() && key.starts_with(scope) && key[scope.size()] == '.')
        all[key.substr(scope.size() + 1)] = value;
  return all;
}

template <class C>
C read(const nf_options* o, const char* scope) {
  C c;
  read_config(values_of(o, scope), scope, c);
  return c;
}

// A character, or its name. '\0' if the text is empty.
char mark_of(const std::string& text, const char* option, std::string_view allowed) {
  static constexpr std::pair<std::string_view, char> kNames[] = {
      {"tab", '\t'}, {"\\t", '\t'}, {"space", ' '}, {"comma", ','}, {"semicolon", ';'}, {"pipe", '|'}, {"point", '.'}};
  if (text.empty()) return '\0';
  char mark = text.size() == 1 ? text[0] : '\0';
  for (const auto& [name, c] : kNames)
    if (text == name) mark = c;
  if (allowed.find(mark) == std::string_view::npos || mark == '\0')
    fail(Code::spec, "option \"table.%s\" = \"%.40s\" is none of: %s", option, text.c_str(),
         allowed == ".," ? "point comma . ," : "comma semicolon pipe tab space , ; |");
  return mark;
}

std::string describe_options() {
  Json list = Json::Array();
  for (const Key& k : keys()) {
    Json j = {{"name", k.name}, {"scope", k.scope}, {"type", kTypes[k.type]}, {"default", k.fallback}};
    Json::Array synonyms;
    for (const OptionSynonym& synonym : option_synonyms())
      if (k.name.ends_with(std::string(".") + synonym.key)) synonyms.emplace_back(synonym.name);
    if (!synonyms.empty()) j["synonyms"] = std::move(synonyms);
    if (!k.choices.empty()) j["choices"] = Json::Array(k.choices.begin(), k.choices.end());
    if (!k.choice_docs.empty()) j["choice_docs"] = Json::Array(k.choice_docs.begin(), k.choice_docs.end());
    if (k.type == Key::integer) {
      j["min"] = k.first;
      j["max"] = k.last;
    } else if (k.type == Key::number) {
      j["min"] = k.low;
      j["max"] = k.high;
    }
    j["doc"] = k.doc;
    list.append(std::move(j));
  }
  return list.dump();
}

}  // namespace

void check_scopes(const nf_options* o, std::initializer_list<std::string_view> scopes, const char* function) {
  if (!o) return;
  for (const auto& [key, value] : o->values) {
    const std::string_view scope = std::string_view(key).substr(0, key.find('.'));
    if (std::find(scopes.begin(), scopes.end(), scope) != scopes.end()) continue;
    std::string list;
    for (const std::string_view s : scopes) list += (list.empty() ? "" : ", ") + std::string(s) + ".*";
    fail(Code::spec, "option \"%s\" has no effect on %s, which reads %s: give it to the call that it is for",
         key.c_str(), function, list.c_str());
  }
}

Json settings_of(const TrainerConfig& config) {
  TrainerConfig c = config;
  // A trainer fills in the length of every schedule, also of those that have none, where setting it is an error.
  if (c.schedule.kind != ScheduleKind::cosine && c.schedule.kind != ScheduleKind::polynomial)
    c.schedule.schedule_steps = ScheduleConfig().schedule_steps;
  Json all = Json::Object();
  const Json fields = written(c);
  for (const auto& [key, value] : *fields.object()) {
    if (key != "objective") {
      all["trainer." + key] = value;
      continue;
    }
    // The fields of the objective stand beside its name.
    all["trainer.objective"] = c.objective.part().name;
    const Json own = written(c.objective.config());
    for (const auto& [name, v] : *own.object()) all["trainer." + name] = v;
  }
  return all;
}

RuntimeOptions runtime_options(const nf_options* o) {
  const auto c = read<RuntimeFields>(o, "runtime");
  RuntimeOptions r;
  r.threads = static_cast<uint32_t>(c.threads);
  if (r.threads == 0) r.threads = std::max(1u, std::thread::hardware_concurrency());
  r.max_bytes = static_cast<size_t>(c.max_bytes);
  if (r.max_bytes == 0) {
    const long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    r.max_bytes = pages > 0 && size > 0 ? static_cast<size_t>(pages) * static_cast<size_t>(size) / 4 * 3 : SIZE_MAX;
  }
  return r;
}

LoadOptions load_options(const nf_options* o) {
  const auto c = read<ModelFileFields>(o, "load");
  return {c.load.limit(), c.verify};
}

SessionOptions session_options(const nf_options* o) {
  const auto s = read<SessionFields>(o, "session");
  SessionOptions r(s.nonfinite, s.score_samples, static_cast<uint64_t>(s.score_seed));
  r.threads = static_cast<uint32_t>(s.threads);
  r.gradients = s.gradients;
  r.block_rows = s.block_rows;
  return r;
}

TrainerConfig trainer_options(const nf_options* o) { return read_trainer_config(values_of(o, "trainer")); }

FitConfig fit_options(const nf_options* o) { return read<FitConfig>(o, "fit"); }

MetropolisConfig metropolis_options(const nf_options* o) {
  auto m = read<MetropolisFields>(o, "metropolis");
  m.c.seed = static_cast<uint64_t>(m.seed);
  return m.c;
}

TableOptions table_options(const nf_options* o) {
  const auto c = read<TableFields>(o, "table");
  TableOptions t;
  t.dtype = c.dtype == TableFields::Type::f32 ? DType::f32 : c.dtype == TableFields::Type::f64 ? DType::f64 : DType::u8;
  t.map = c.map;
  t.csv.header = c.header;
  t.csv.separator = mark_of(c.separator, "separator", ",;|\t ");
  t.csv.decimal = c.decimal.empty() ? '.' : mark_of(c.decimal, "decimal", ".,");
  t.csv.missing = c.missing;
  t.csv.columns = parse_columns(c.columns);
  t.csv.where = parse_conditions(c.where);
  if (const std::vector<ColumnRef> id = parse_columns(c.id); id.size() > 1)
    fail(Code::spec, "option \"table.id\" = \"%.40s\" is more than one column", c.id.c_str());
  else if (!id.empty())
    t.csv.id = id[0];
  t.array = c.array;
  t.max_bytes = c.load.limit();
  return t;
}

BatchOptions batch_options(const nf_options* o) {
  auto c = read<BatchFields>(o, "batches");
  c.part.seed = static_cast<uint64_t>(c.part_seed);
  return {c.batch, c.order, static_cast<uint64_t>(c.seed), c.part, c.smallest, c.flip};
}

}  // namespace libnf

using namespace libnf;

extern "C" {

const char* nf_options_describe(void) NF_NOEXCEPT { return static_text<describe_options>(); }

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
    if (k.type == Key::integer) return set_integer(*o, k, value);
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
nf_status nf_options_json(const nf_options* o, nf_write_fn write, void* user, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(o, "options");
    if (!write) fail(Code::argument, "write is NULL");
    Json all = Json::Object();
    for (const auto& [key, value] : o->values) all[key] = value;
    const std::string text = all.dump();
    CallbackSink(write, user).write(text.data(), text.size());
  });
}
void nf_options_free(nf_options* o) NF_NOEXCEPT { delete o; }

}  // extern "C"
