// Shared by the pictures of `nf plot`: arguments, a model with the rows to show next to it, ranges, output.
#pragma once
#include <cstdio>
#include <nf/nf.hpp>
#include <optional>
#include <string>
#include <vector>

#include "src/cli/common/evaluate.h"
#include "src/cli/common/failure.h"
#include "src/cli/draw/axes.h"

namespace cli {

struct PlotArgs {
  std::string model, data, data_columns, columns, context, context_columns, output;
  int64_t points = 4000;  // maximum number drawn
  int size = 420;         // side of a panel in pixels
  uint64_t seed = 0;
  bool log = false;
  // Of `nf plot scores`: where to draw the threshold, the first of them given.
  std::optional<double> threshold, quantile;
  std::string reference;  // rows that the quantile is of
  DataPaths labeled;      // labels and classes of its data
  std::shared_ptr<Settings> settings;
};

// Rows of numbers, row-major.
struct Matrix {
  int64_t rows = 0, cols = 0;
  std::vector<double> values;
  double at(int64_t r, int64_t c) const { return values[static_cast<size_t>(r * cols + c)]; }
  nf::View view() const { return rows ? nf::View(values.data(), rows, cols) : nf::View(); }  // none without rows
  std::vector<double> column(int64_t c) const;
};

// Contexts of a conditional model: one for the whole picture, or each data row its own where the picture supports it.
enum class Contexts { one, of_rows };

// A model with a session, its column names, and data rows if given (evenly spaced, at most args.points).
class Scene {
 public:
  Scene(const PlotArgs& args, const std::string& model, const std::string& data, Contexts contexts = Contexts::one);
  const std::string& path() const { return path_; }
  nf::Session& session() const { return session_; }
  const nf::Model& model() const { return model_; }
  int64_t cols() const { return info_.event_size; }
  int64_t layers() const { return info_.layer_count; }
  bool has_data() const { return data_.rows > 0; }
  const Matrix& data() const { return data_; }
  int64_t data_rows() const { return data_rows_; }  // before thinning
  const std::string& name(int64_t column) const { return names_[static_cast<size_t>(column)]; }

  bool rows_have_contexts() const { return own_contexts_; }
  // Returns a suffix for titles: ", wind = 3, rain = 0.5" if one context is shown, otherwise "".
  std::string at_context() const;
  // Notes on standard error if the data includes other contexts than the one the model is shown at.
  void mention_contexts() const;

  Matrix sample(int64_t n) const;  // n must be the number of data rows if each has its own context
  std::vector<double> log_prob(const Matrix& x) const;
  // Returns layers() + 1 states; state k is `from` after k layers of that direction.
  std::vector<Matrix> trace(const Matrix& from, nf::Direction direction) const;
  const std::string& layer_name(int64_t index) const { return types_[static_cast<size_t>(index)]; }  // in forward order

 private:
  std::string path_, data_path_;
  uint64_t seed_;
  nf::Runtime runtime_;
  nf::Model model_;
  nf::ModelInfo info_;
  mutable nf::Session session_;
  bool own_contexts_ = false;
  Matrix context_, data_;  // context: one row, or one per data row
  int64_t data_rows_ = 0;
  std::vector<std::string> names_, context_names_, types_;
};

// Returns the two columns to show: `wanted` ("a,b", names or indices), or 0 and 1 for a model of two columns. Failure
// that lists the columns if `wanted` is empty for another model.
std::pair<int64_t, int64_t> pair_of(const Scene& scene, const std::string& wanted);
// Returns the columns to show: `wanted`, or the first `most`.
std::vector<int64_t> columns_of(const Scene& scene, const std::string& wanted, int64_t most);

// Returns how many samples to draw of a model that are not shown one by one: `most`, or fewer of wide models, so that they
// take at most 128 MB.
int64_t samples_within(int64_t most, int64_t cols);

// Returns a range with nearly all of the values and a margin.
Range range_of(std::vector<double> values);
Range either(const Range& a, const Range& b);
// Gives both axes the same unit length, unless their scales differ by a factor of four or more; then each fills the
// box.
void fit_units(const Box& box, Range& x, Range& y);

// Draws one translucent disc per row. Returns the number of rows outside of the box, those that are not finite included.
int64_t scatter(Canvas& canvas, const Axes& axes, const Matrix& rows, int64_t i, int64_t j, Color color);

// "4,000 of 20,000 rows, 12 outside": what is drawn, for the note of a panel.
std::string rows_note(int64_t drawn, int64_t all, int64_t outside);
// Rows or points of a panel that are not in its window.
struct Outside {
  const char* what;  // "data row", "sample"
  int64_t count, drawn;
};
// Prints "outside the window  12 of 4,000 data rows"; nothing if there are none.
void report_outside(std::initializer_list<Outside> all);

// Failure unless the path ends in `extension` and its folder is writable.
void check_picture(const std::string& path, const char* extension);
void save(const Canvas& canvas, const std::string& path, std::FILE* says = stdout);
void note_font();  // on standard error, if the machine has none

int plot_density(const PlotArgs& args);
int plot_samples(const PlotArgs& args);
int plot_pairs(const PlotArgs& args);
int plot_scores(const PlotArgs& args);
int plot_layers(const PlotArgs& args);
int plot_latents(const PlotArgs& args);
int plot_flow(const PlotArgs& args);
int plot_curve(const PlotArgs& args);
int plot_target(const PlotArgs& args, const std::string& target, const std::vector<std::string>& models);
int plot_sheet(const PlotArgs& args, const std::vector<std::string>& models, const std::vector<std::string>& data);

}  // namespace cli
