// What the pictures of `nf plot` share: arguments, a model with the rows to show beside it, ranges, output.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "src/cli/draw/axes.h"
#include "src/cli/evaluate.h"

namespace nf::cli {

struct PlotArgs {
  std::string model, data, data_columns, columns, context, context_columns, output;
  int64_t points = 4000;  // at most so many are drawn
  int size = 420;         // pixels of a panel's side
  uint64_t seed = 0;
  bool log = false;
  std::shared_ptr<Settings> settings;
};

// Rows of numbers, row-major.
struct Matrix {
  int64_t rows = 0, cols = 0;
  std::vector<double> values;
  double at(int64_t r, int64_t c) const { return values[static_cast<size_t>(r * cols + c)]; }
  std::vector<double> column(int64_t c) const;
};

// Of a conditional model: one context for the whole picture, or where the picture can show it, that of each row of data.
enum class Contexts { one, of_rows };

// A model ready to answer, its rows of data if there are any (evenly picked, at most args.points), its column names.
class Scene {
 public:
  Scene(const PlotArgs& args, const std::string& model, const std::string& data, Contexts contexts = Contexts::one);
  const std::string& path() const { return path_; }
  nf_session* session() const { return session_.get(); }
  std::string note(const char* key) const;  // of the model, "" when there is none
  int64_t cols() const { return info_.event_size; }
  int64_t steps() const { return info_.layer_count; }
  bool has_data() const { return data_.rows > 0; }
  const Matrix& data() const { return data_; }
  int64_t data_rows() const { return data_rows_; }  // before the pick
  const std::string& name(int64_t column) const { return names_[static_cast<size_t>(column)]; }

  bool rows_have_contexts() const { return own_contexts_; }
  // For titles: ", wind = 3, rain = 0.5" where one context is shown, otherwise "".
  std::string at_context() const;
  // Says on standard error when the data shown beside one context is not only of that one.
  void mention_contexts() const;

  Matrix sample(int64_t n) const;  // n is the number of rows of data when each has its context
  std::vector<double> log_prob(const Matrix& x) const;
  // State k of `from` after k steps of that direction: layer_count + 1 of them.
  std::vector<Matrix> trace(const Matrix& from, bool inverse) const;
  std::string step_name(int64_t index) const;  // in the order of forward: "affine_coupling"

 private:
  std::string path_, data_path_;
  uint64_t seed_;
  Runtime runtime_;
  Model model_;
  nf_model_info info_;
  Session session_;
  bool own_contexts_ = false;
  Matrix context_, data_;  // context: one row, or one per row of data
  int64_t data_rows_ = 0;
  std::vector<std::string> names_, context_names_;
};

// The two columns that a flat picture shows: `wanted` ("a,b", names or indices), or 0 and 1 of a model of two columns.
// Failure, saying which columns there are, for other models when nothing is wanted.
std::pair<int64_t, int64_t> pair_of(const Scene& scene, const std::string& wanted);

// Where almost all of the values are, and some room around it.
Range range_of(std::vector<double> values);
Range either(const Range& a, const Range& b);
// Units of one length in a plane; columns on scales of their own (a factor of four or more apart) fill the box each.
void fit_units(const Box& box, Range& x, Range& y);

// One disc per row; where they lie close their colours add up.
void scatter(Canvas& canvas, const Axes& axes, const Matrix& rows, int64_t i, int64_t j, Colour colour);

// As PNG or, for animations, GIF; the extension must fit.
void check_picture(const std::string& path, const char* extension);
void save(const Canvas& canvas, const std::string& path);

int plot_density(const PlotArgs& args);
int plot_samples(const PlotArgs& args);
int plot_layers(const PlotArgs& args);
int plot_flow(const PlotArgs& args);
int plot_curve(const PlotArgs& args);
int plot_target(const PlotArgs& args, const std::string& target, const std::vector<std::string>& models);
int plot_sheet(const PlotArgs& args, const std::vector<std::string>& models, const std::vector<std::string>& data);

}  // namespace nf::cli
