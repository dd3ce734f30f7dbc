// nf plot pairs: draws several columns of data and samples against each other, a histogram of each on the diagonal.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "src/cli/common/text.h"
#include "src/cli/plot/contour.h"
#include "src/cli/plot/histogram.h"
#include "src/cli/plot/plot.h"

namespace cli {
namespace {
constexpr double kTop = 62, kGap = 12, kRight = 20;
constexpr int64_t kColumns = 6, kMostColumns = 16;  // without --columns; at all
constexpr int64_t kSamples = 20000;                 // for the lines, whatever --points says
constexpr double kShares[] = {0.5, 0.9};            // of the samples inside each line

class Corner {
 public:
  Corner(const PlotArgs& a, const Scene& scene, const std::vector<int64_t>& columns)
      : scene_(scene),
        columns_(columns),
        samples_(scene.sample(scene.rows_have_contexts() ? scene.data().rows
                                                         : std::max(a.points, samples_within(kSamples, scene.cols())))),
        points_(scene.has_data() ? scene.data() : Matrix{std::min(a.points, samples_.rows), samples_.cols, {}}),
        side_(a.size) {
    if (!scene.has_data())
      points_.values.assign(samples_.values.begin(),
                            samples_.values.begin() + static_cast<std::ptrdiff_t>(points_.rows * points_.cols));
    for (const int64_t c : columns) {
      ranges_.push_back(range_of(points_.column(c)));
      left_ = std::max(left_, room_left(ranges_.back(), side_, true));
    }
  }

  const Matrix& points() const { return points_; }
  const Matrix& samples() const { return samples_; }

  Canvas draw(const std::string& title) {
    constexpr double kLegend = 340;  // wider than one panel
    const double n = static_cast<double>(columns_.size()), width = left_ + std::max(n * (side_ + kGap) - kGap, kLegend);
    Canvas canvas(static_cast<int>(width + kRight),
                  static_cast<int>(kTop + n * (side_ + kGap) - kGap + room_below(true)));
    const Style heading{15, kInk, true};
    draw_text(canvas, {left_, 22}, shortened(title, heading, width - left_), heading);
    const std::vector<Axes::Entry> entries =
        scene_.has_data()
            ? std::vector<Axes::Entry>{{"data", kBlue, true}, {"model: 50 % and 90 % of samples", kOrange}}
            : std::vector<Axes::Entry>{{"samples of the model", kOrange}};
    legend_row(canvas, {left_, 44}, entries);
    for (size_t row = 0; row < columns_.size(); ++row)
      for (size_t column = 0; column <= row; ++column)
        row == column ? diagonal(canvas, row) : panel(canvas, row, column);
    return canvas;
  }

  // Count rows that are outside of a window, in any of the columns.
  int64_t outside(const Matrix& rows) const {
    int64_t count = 0;
    for (int64_t r = 0; r < rows.rows; ++r) {
      bool inside = true;
      for (size_t k = 0; k < columns_.size(); ++k) inside = inside && ranges_[k].holds(rows.at(r, columns_[k]));
      count += !inside;
    }
    return count;
  }

 private:
  Box box(size_t row, size_t column) const {
    const double x0 = left_ + static_cast<double>(column) * (side_ + kGap),
                 y0 = kTop + static_cast<double>(row) * (side_ + kGap);
    return {x0, y0, x0 + side_, y0 + side_};
  }
  std::string name(size_t k) const { return scene_.name(columns_[k]); }

  void diagonal(Canvas& canvas, size_t k) const {
    const std::vector<double> shown = points_.column(columns_[k]), drawn = samples_.column(columns_[k]);
    const Bins bins = bins_of(ranges_[k], shown.size());
    const std::vector<double> of_points = histogram(shown, bins), of_samples = histogram(drawn, bins);
    const double top = std::max({*std::max_element(of_points.begin(), of_points.end()),
                                 *std::max_element(of_samples.begin(), of_samples.end()), 1e-300});
    const bool last = k + 1 == columns_.size();
    Axes axes(canvas, box(k, k), {ranges_[k], last ? name(k) : ""}, {{0, 1.08 * top}, ""});
    if (scene_.has_data()) draw_filled(canvas, axes, bins, of_points, kFaintBlue);
    draw_outline(canvas, axes, bins, of_samples, kOrange);
    axes.frame(last, false);
  }

  void panel(Canvas& canvas, size_t row, size_t column) const {
    const int64_t i = columns_[column], j = columns_[row];
    Axes axes(canvas, box(row, column), {ranges_[column], name(column)}, {ranges_[row], name(row)});
    axes.grid();
    scatter(canvas, axes, points_, i, j, scene_.has_data() ? kBlue : kOrange);
    if (scene_.has_data()) {
      const Cloud cloud = cloud_of(samples_.column(i), samples_.column(j), ranges_[column], ranges_[row]);
      canvas.clip(axes.box());
      for (const double share : kShares)
        for (const Segment& s : contour(cloud, level_of(cloud, share))) {
          const Spot line[] = {axes.spot(s.from.x, s.from.y), axes.spot(s.to.x, s.to.y)};
          canvas.stroke(line, 1.6, kOrange);
        }
      canvas.unclip();
    }
    axes.frame(row + 1 == columns_.size(), column == 0);
  }

  const Scene& scene_;
  std::vector<int64_t> columns_;
  Matrix samples_, points_;
  double side_, left_ = 0;
  std::vector<Range> ranges_;
};
}  // namespace

int plot_pairs(const PlotArgs& a) {
  check_picture(a.output, ".png");
  const Scene scene(a, a.model, a.data, Contexts::of_rows);
  scene.mention_contexts();
  const std::vector<int64_t> columns = columns_of(scene, a.columns, kColumns);
  if (static_cast<int64_t>(columns.size()) > kMostColumns)
    throw Failure("--columns " + a.columns + ": " + counted(static_cast<int64_t>(columns.size()), "column") +
                      "; at most 16 fit on a picture",
                  {}, kUsage);
  Corner corner(a, scene, columns);
  const int64_t outside = corner.outside(corner.points());
  const std::string what =
      (scene.has_data() ? "Data and model" : "Samples of the model") + scene.at_context() + ": " +
      rows_note(corner.points().rows, scene.has_data() ? scene.data_rows() : corner.points().rows, outside);
  save(corner.draw(what), a.output);
  if (scene.has_data())
    report_outside({{"data row", outside, corner.points().rows},
                    {"sample", corner.outside(corner.samples()), corner.samples().rows}});
  else
    report_outside({{"sample", outside, corner.points().rows}});
  const int64_t left_out = scene.cols() - static_cast<int64_t>(columns.size());
  if (a.columns.empty() && left_out > 0)
    std::fprintf(stderr,
                 "nf: note: the picture shows the first %lld of %lld columns; select others with --columns A,B,..\n",
                 static_cast<long long>(columns.size()), static_cast<long long>(scene.cols()));
  return kOk;
}

}  // namespace cli
