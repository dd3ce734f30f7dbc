// nf plot scores: draws the log-likelihoods of rows beside those of the model's own samples, and a threshold.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

#include "src/cli/common/text.h"
#include "src/cli/plot/histogram.h"
#include "src/cli/plot/plot.h"

namespace cli {
namespace {
constexpr double kTop = 40, kRight = 24;
constexpr int64_t kSamples = 10000;

// Returns the value below which a share of the scores is: of n sorted scores the one at share * n, rounded down, so that
// at most that share is strictly below. -infinity counts as the lowest; NaN is left out.
double quantile_of(std::vector<double> scores, double share) {
  std::erase_if(scores, [](double v) { return std::isnan(v); });
  if (scores.empty()) return std::numeric_limits<double>::quiet_NaN();
  const auto at = static_cast<std::ptrdiff_t>(
      std::min(share * static_cast<double>(scores.size()), static_cast<double>(scores.size() - 1)));
  std::nth_element(scores.begin(), scores.begin() + at, scores.end());
  return scores[static_cast<size_t>(at)];
}

struct Scored {
  std::vector<double> rows, samples;
};

// The range of both. A few scores can be as low as they like, or as high where the density has a spike, so the window ends
// where most scores would be in a thin line.
Range window_of(const Scored& s) {
  constexpr double kHighest = 6, kDeepest = 6;  // times the distances from the median to the top tenth, and to the top
  Range x{0, 0};
  double median = 0;
  bool any = false;
  for (const std::vector<double>* scores : {&s.rows, &s.samples}) {
    if (std::none_of(scores->begin(), scores->end(), [](double v) { return std::isfinite(v); })) continue;
    Range one = range_of(*scores);
    const double middle = std::max(quantile_of(*scores, 0.5), one.low), upper = quantile_of(*scores, 0.9);
    if (upper > middle) one.high = std::min(one.high, upper + kHighest * (upper - middle));
    x = any ? either(x, one) : one;
    median = any ? std::min(median, middle) : middle;
    any = true;
  }
  if (!any) return {-1, 1};
  return {std::max(x.low, x.high - kDeepest * (x.high - median)), x.high};
}

class Scorer {
 public:
  explicit Scorer(const PlotArgs& a)
      : args_(a),
        runtime_(a.settings->runtime()),
        model_(load_model(runtime_, a.model, *a.settings)),
        session_(model_, a.settings->options({"session"})) {}

  Scored all() { return scored(args_.data, true); }
  // Of the rows of --reference, else of the training rows where the model knows their scores, else of those shown.
  double quantile(const std::vector<double>& shown, double share) {
    if (!args_.reference.empty()) return quantile_of(scored(args_.reference, false).rows, share);
    return model_.has_note("score_quantiles") ? nf::score_quantile(model_, share) : quantile_of(shown, share);
  }

 private:
  Scored scored(const std::string& path, bool with_samples) {
    const nf::ModelInfo info = model_.info();
    DataPaths paths{path, args_.context, args_.data_columns, args_.context_columns};
    paths.labels = args_.labeled.labels;
    paths.classes = args_.labeled.classes;
    const ColumnNames names = column_names(model_);
    Data data = open_data(runtime_, paths, *args_.settings, info.dtype, names);
    use_labels(data, paths, names, info.context_size, info.dtype);
    check_data(data, paths, info.event_size, info.context_size);
    Scored out{log_probs(session_, data), {}};
    if (!with_samples) return out;
    // One sample for each row's context, or some for the only one.
    const nf::View context = data.context.view();
    const int64_t n =
        data.context && data.context.count() > 1 ? data.context.count() : samples_within(kSamples, info.event_size);
    const std::vector<double> drawn = session_.sample<double>(n, args_.seed, context);
    out.samples = session_.log_prob<double>(nf::View(drawn.data(), n, info.event_size), context);
    return out;
  }

  const PlotArgs& args_;
  nf::Runtime runtime_;
  nf::Model model_;
  nf::Session session_;
};

// NaN counts too: such a row has no likelihood.
int64_t below(const std::vector<double>& scores, double threshold) {
  return std::count_if(scores.begin(), scores.end(), [&](double v) { return !(v >= threshold); });
}

// "37 of 5,000 rows (0.74 %)"
std::string share_of(int64_t count, int64_t all) {
  return grouped(count) + " of " + counted(all, "row") +
         text(" (%.2g %%)", all ? 100 * static_cast<double>(count) / static_cast<double>(all) : 0.0);
}

void check(const PlotArgs& a) {
  if (a.threshold && a.quantile)
    throw Failure("--threshold and --quantile both say where the threshold is: give one of them", {}, kUsage);
  if (a.threshold && std::isnan(*a.threshold)) throw Failure("--threshold nan: expected a number of nats", {}, kUsage);
  if (a.quantile && !(*a.quantile > 0 && *a.quantile < 1))
    throw Failure("--quantile " + plain_number(*a.quantile) + ": expected a share between 0 and 1, such as 0.01", {},
                  kUsage);
  if (!a.reference.empty() && !a.quantile)
    throw Failure("--reference is the file that --quantile is of", "add --quantile 0.01", kUsage);
}
}  // namespace

int plot_scores(const PlotArgs& a) {
  check(a);
  check_picture(a.output, ".png");
  Scorer scorer(a);
  const Scored scores = scorer.all();
  double threshold = a.threshold.value_or(std::numeric_limits<double>::quiet_NaN());
  if (a.quantile) threshold = scorer.quantile(scores.rows, *a.quantile);
  const bool marked = a.threshold || a.quantile;

  Range x = window_of(scores);
  if (std::isfinite(threshold)) {
    const double room = 0.04 * x.extent();
    x = {std::min(x.low, threshold - room), std::max(x.high, threshold + room)};
  }
  const Bins bins = bins_of(x, scores.rows.size());
  const std::vector<double> of_rows = histogram(scores.rows, bins), of_samples = histogram(scores.samples, bins);
  const double top = std::max({*std::max_element(of_rows.begin(), of_rows.end()),
                               *std::max_element(of_samples.begin(), of_samples.end()), 1e-300});

  const Range y{0, 1.12 * top};
  const int width = a.size * 3 / 2, height = a.size * 9 / 10;
  const double left = room_left(y, height, true);
  Canvas canvas(static_cast<int>(left + kRight) + width, static_cast<int>(kTop + room_below(true)) + height);
  Axes axes(canvas, {left, kTop, left + width, kTop + height}, {x, "log-likelihood (nats)"},
            {y, "share of rows per nat"});
  axes.grid();
  draw_filled(canvas, axes, bins, of_rows, kFaintBlue);
  draw_outline(canvas, axes, bins, of_samples, kOrange);
  const double resolution = x.extent() / 1000;
  std::vector<Axes::Entry> entries{{"rows", kFaintBlue, true}, {"samples of the model", kOrange}};
  if (std::isfinite(threshold)) {
    const double at = std::floor(axes.spot(threshold, 0).x);
    canvas.fill({at - 0.5, axes.box().y0, at + 1.5, axes.box().y1}, kInk);
  }
  if (marked) entries.push_back({"threshold " + rounded(threshold, resolution), kInk});

  const auto rows = static_cast<int64_t>(scores.rows.size());
  const int64_t low_rows = std::count_if(scores.rows.begin(), scores.rows.end(), [&](double v) { return v < x.low; }),
                high_rows = std::count_if(scores.rows.begin(), scores.rows.end(), [&](double v) { return v > x.high; }),
                outside = outside_of(scores.rows, x),
                impossible =
                    std::count(scores.rows.begin(), scores.rows.end(), -std::numeric_limits<double>::infinity()),
                undefined =
                    std::count_if(scores.rows.begin(), scores.rows.end(), [](double v) { return std::isnan(v); });
  if (low_rows) axes.mark_left(kBlue);
  if (high_rows) axes.mark_right(kBlue);
  axes.frame();
  axes.title(marked ? share_of(below(scores.rows, threshold), rows) + " below the threshold"
                    : "Log-likelihood of " + counted(rows, "row"));
  axes.note(outside ? grouped(outside) + " outside" +
                          (impossible ? ", " + grouped(impossible) + " of them \u2212\u221e" : "")
                    : "");
  double left_mass = 0, right_mass = 0;
  for (size_t i = 0; i < bins.count; ++i) (2 * i < bins.count ? left_mass : right_mass) += of_rows[i];
  axes.legend(entries, left_mass > right_mass, false);
  save(canvas, a.output);

  if (marked)
    std::printf("threshold  %.7g nats; below it %s\n", threshold,
                share_of(below(scores.rows, threshold), rows).c_str());
  if (outside) {
    std::string parts;
    if (impossible) parts += ", " + grouped(impossible) + " of them -infinity";
    if (undefined) parts += ", " + grouped(undefined) + " of them NaN";
    std::printf("outside the window  %s of %s%s\n", grouped(outside).c_str(), counted(rows, "row").c_str(),
                parts.c_str());
  }
  return kOk;
}

}  // namespace cli
