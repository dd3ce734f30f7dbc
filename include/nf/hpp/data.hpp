// Tables of files and mini-batches: nf_data.h. Include <nf/nf.hpp>.
#ifndef NF_HPP_DATA_HPP_
#define NF_HPP_DATA_HPP_
#include <nf/nf_data.h>

#include <nf/hpp/model.hpp>
#include <nf/hpp/options.hpp>
#include <nf/hpp/view.hpp>

NF_HPP_BEGIN

// Rows of numbers from a .npy or .csv file. Options of scope "table".
class Table : public detail::Handle<nf_table, nf_table_free> {
 public:
  static Returned<Table> open(const Runtime &rt, const std::string &path, const Options &options = {}) {
    return detail::make<Table>(options, nf_table_open, rt.get(), path.c_str(), options.get());
  }
  static Returned<Table> open(const std::string &path, const Options &options = {}) {
    return detail::make<Table>(options, nf_table_open, static_cast<nf_runtime *>(nullptr), path.c_str(), options.get());
  }
#ifndef NF_NO_EXCEPTIONS
  Table(const Runtime &rt, const std::string &path, const Options &options = {}) : Table(open(rt, path, options)) {}
  explicit Table(const std::string &path, const Options &options = {}) : Table(open(path, options)) {}
#endif
  explicit Table(nf_table *t) noexcept : Handle(t) {}  // takes ownership

  // From the content of a file in memory, which is not needed afterwards; messages call it `name`.
  static Returned<Table> parse(const Runtime &rt, std::string_view bytes, const std::string &name,
                               const Options &options = {}) {
    return detail::make<Table>(options, nf_table_parse, rt.get(), static_cast<const void *>(bytes.data()), bytes.size(),
                               name.c_str(), options.get());
  }
  // What a file holds, as JSON, found out from its first lines.
  static Returned<std::string> describe(const Runtime &rt, const std::string &path, const Options &options = {}) {
    return describe(rt, path, nullptr, 0, options);
  }
  static Returned<std::string> describe_bytes(const Runtime &rt, std::string_view bytes, const std::string &name,
                                              const Options &options = {}) {
    return describe(rt, name, bytes.data(), bytes.size(), options);
  }

  // Borrowed from the table; of a mapped file it may have strides.
  Returned<View> view() const {
    nf_view v = NF_VIEW_INIT;
    const Error e = detail::invoke(nf_table_view, get(), &v);
    return detail::done(e, View(v));
  }
  // Of the array in the file: [n, height, width, channels] of a .npy of rank 4, otherwise those of the view.
  std::vector<int64_t> shape() const {
    std::vector<int64_t> extents(NF_MAX_RANK);
    extents.resize(static_cast<size_t>(nf_table_shape(get(), extents.data())));
    return extents;
  }
  bool is_mapped() const noexcept { return nf_table_is_mapped(get()) != 0; }
  // "" if the file has no header.
  std::string column(int64_t index) const { return detail::text(nf_table_column(get(), index)); }
  int64_t row(int64_t index) const noexcept { return nf_table_row(get(), index); }    // its number in the file, from 0
  int64_t line(int64_t index) const noexcept { return nf_table_line(get(), index); }  // from 1; 0 if not a text file
  // With option "table.id".
  std::string row_id(int64_t index) const { return detail::text(nf_table_row_id(get(), index)); }

 private:
  static Returned<std::string> describe(const Runtime &rt, const std::string &path, const void *bytes, size_t size,
                                        const Options &options) {
    std::string out;
    if (const Error &e = options.error()) return detail::done(e, std::move(out));
    const nf_write_fn append = [](void *user, const void *from, size_t n) -> int32_t {
      static_cast<std::string *>(user)->append(static_cast<const char *>(from), n);
      return 0;
    };
    const Error e = detail::invoke(nf_table_describe, rt.get(), path.c_str(), bytes, size, options.get(), append,
                                   static_cast<void *>(&out));
    return detail::done(e, std::move(out));
  }
};

// Writes a view of rank 1 or 2 as .npy or .csv, by the path's extension. columns: names for the header of a .csv.
inline Returned<void> save_table(const View &v, const std::string &path, const std::vector<std::string> &columns = {}) {
  std::vector<const char *> names;
  if (!columns.empty() && static_cast<int64_t>(columns.size()) != v.cols())
    return detail::done(detail::error(NF_ERR_ARGUMENT, "nf::save_table: " + std::to_string(columns.size()) +
                                                           " names for " + std::to_string(v.cols()) + " columns"));
  for (const std::string &name : columns) names.push_back(name.c_str());
  return detail::done(detail::invoke(nf_table_save, v.raw(), path.c_str(),
                                     names.empty() ? static_cast<const char *const *>(nullptr) : names.data()));
}

// Keeps quantiles of the scores of the training rows (log_prob) in a note of the model.
inline Returned<void> set_scores(Model &m, const View &log_prob) {
  return detail::done(detail::invoke(nf_model_set_scores, m.get(), log_prob.raw()));
}
// The score below which a fraction p of the training rows is.
inline Returned<double> score_quantile(const Model &m, double p) {
  double score = 0;
  const Error e = detail::invoke(nf_model_score_quantile, static_cast<const nf_model *>(m.get()), p, &score);
  return detail::done(e, score);
}
// For each score the fraction of the training rows with a lower one.
inline Returned<std::vector<double>> score_rank(const Model &m, const View &log_prob) {
  std::vector<double> rank(static_cast<size_t>(log_prob.rows()));
  const nf_out out = nf_out_vec_f64(rank.data(), log_prob.rows());
  const Error e = detail::invoke(nf_model_score_rank, static_cast<const nf_model *>(m.get()), log_prob.raw(), &out);
  return detail::done(e, std::move(rank));
}

// Mini-batches of rows that the caller keeps alive. Batch k is a pure function of the options, of scope "batches", and k.
class Batches : public detail::Handle<nf_batches, nf_batches_free> {
 public:
  static Returned<Batches> create(const Runtime &rt, const Batch &rows, const Options &options = {}) {
    return create(rt.get(), rows, options);
  }
  static Returned<Batches> create(const Batch &rows, const Options &options = {}) {
    return create(nullptr, rows, options);
  }
#ifndef NF_NO_EXCEPTIONS
  Batches(const Runtime &rt, const Batch &rows, const Options &options = {})
      : Batches(create(rt.get(), rows, options)) {}
  explicit Batches(const Batch &rows, const Options &options = {}) : Batches(create(nullptr, rows, options)) {}
#endif
  explicit Batches(nf_batches *b) noexcept : Handle(b) {}  // takes ownership

  uint64_t per_epoch() const noexcept { return nf_batches_per_epoch(get()); }
  // Borrowed until the next call.
  Returned<Batch> at(uint64_t step) {
    nf_batch b = NF_BATCH_INIT;
    const Error e = detail::invoke(nf_batches_get, get(), step, &b);
    return detail::done(e, Batch(b));
  }
  // Which row of the data row `index` of the last batch is, from 0.
  int64_t row(int64_t index) const noexcept { return nf_batches_row(get(), index); }
  // For nf_train_run; borrows this object.
  Returned<nf_source> source() {
    nf_source s = NF_SOURCE_INIT;
    const Error e = detail::invoke(nf_batches_source, get(), &s);
    return detail::done(e, s);
  }

 private:
  static Returned<Batches> create(nf_runtime *rt, const Batch &rows, const Options &options) {
    const nf_batch raw = rows.raw();
    return detail::make<Batches>(options, nf_batches_create, rt, &raw, options.get());
  }
};

NF_HPP_END
#endif  // NF_HPP_DATA_HPP_
