// nf plot images: sheets of small images, by what they show.
#include "src/cli/plot/images.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "src/cli/common/description.h"
#include "src/cli/common/image_model.h"
#include "src/cli/common/text.h"
#include "src/cli/draw/image_sheet.h"
#include "src/cli/plot/plot.h"

namespace cli {
namespace {
constexpr int64_t kColumns = 10, kRows = 8;
constexpr double kSide = 64;  // pixels of the picture that an image should have

ImageShape shape_of(const nf::ModelInfo& info, const std::string& path) {
  if (info.event_ndim != 3)
    throw Failure(
        path + " is a model of rows of " + counted(info.event_size, "number") + ", not of images",
        "a spec for images has \"event\": [height, width, channels]; `nf plot samples` and `nf plot pairs` draw rows");
  return {info.event[0], info.event[1], info.event[2]};
}

int zoom_for(const ImageShape& s) {
  return std::max(1, static_cast<int>(std::lround(kSide / static_cast<double>(std::max(s.height, s.width)))));
}

// A model, and the images and contexts to show.
class Gallery {
 public:
  explicit Gallery(const ImagesArgs& a)
      : args_(a),
        runtime_(a.settings->runtime()),
        model_(load_model(runtime_, a.model, *a.settings)),
        info_(model_.info()),
        shape_(shape_of(info_, a.model)),
        session_(model_, a.settings->options({"session"})) {
    const DataPaths paths{a.data, a.context, a.data_columns, a.context_columns, a.labeled.labels, a.labeled.classes};
    Data read;
    if (!a.data.empty()) {
      const ColumnNames names = column_names(model_);
      read = open_data(runtime_, paths, *a.settings, NF_F64, names);
      use_labels(read, paths, names, info_.context_size, NF_F64);
      check_data(read, paths, info_.event_size, info_.context_size);
      context_ = std::move(read.context);
    } else {
      if (a.context.empty()) context_ = context_of_each_class();
      if (!a.context.empty()) context_ = open_context(runtime_, paths, *a.settings, NF_F64, column_names(model_));
      if (context_.cols() != info_.context_size)
        throw Failure("the model's context has " + counted(info_.context_size, "column") + ", but " +
                          (context_ ? a.context + " has " + std::to_string(context_.cols()) : "none was given"),
                      info_.context_size ? "give --context FILE with one row per row of the picture, or one for all"
                                         : "drop --context");
    }
    data_ = std::move(read.x);
  }

  const nf::Model& model() const { return model_; }
  bool is_vae() const { return cli::is_vae(info_); }
  const ImageShape& shape() const { return shape_; }
  int64_t contexts() const { return context_.count(); }

  // The first n images of the data, and their contexts.
  Matrix images(int64_t n) const {
    Matrix m{std::min(n, data_.count()), data_.cols(), {}};
    for (int64_t r = 0; r < m.rows; ++r)
      for (int64_t c = 0; c < m.cols; ++c) m.values.push_back(data_.at(r, c));
    return m;
  }

  // Samples first .. first + n - 1 of the stream. `context`: the row of the contexts they have, if there are several.
  std::vector<double> samples(int64_t n, int64_t first, double temperature, int64_t context = 0) {
    const nf::Sampling how{args_.seed, static_cast<uint64_t>(first), 1, temperature};
    if (!is_vae()) return session_.sample<double>(n, how, one_context(context));
    // The means of the pixels, which look like images; samples of them are noisy.
    return to_images(session_.base_sample<double>(n, how, one_context(context)), n, one_context(context));
  }
  std::vector<double> latents_of_samples(int64_t n, double temperature) {
    return session_.base_sample<double>(n, {args_.seed, 0, 1, temperature}, one_context(0));
  }

  // The contexts are those of the first n images of the data.
  std::vector<double> to_latents(const Matrix& x) {
    if (is_vae()) return session_.encode<double>(x.view(), contexts_of(x.rows));
    return session_.forward<double>(x.view(), {}, contexts_of(x.rows));
  }
  std::vector<double> to_images(const std::vector<double>& z, int64_t n, const nf::View& contexts) {
    const nf::View latents(z.data(), n, info_.latent_size);
    return is_vae() ? session_.decode<double>(latents, contexts) : session_.inverse<double>(latents, {}, contexts);
  }
  nf::View contexts_of(int64_t n) const { return context_.count() > 1 ? context_.view().slice(0, n) : context_.view(); }
  nf::View one_context(int64_t row) const {
    return context_.count() > 1 ? context_.view().slice(row, 1) : context_.view();
  }

  struct ScaleColumns {
    int64_t first, count;
    std::string event;  // "14 x 14 x 2"
  };
  // Which columns of the latents leave the chain together, the first to leave first.
  std::vector<ScaleColumns> scales() const {
    std::vector<ScaleColumns> out;
    const auto described = description_of(model_);
    for (const auto& s : described["scales"]) {
      std::string event;
      for (const auto& extent : s["event"])
        event += (event.empty() ? "" : " x ") + std::to_string(extent.get<int64_t>());
      out.push_back({s["first_column"].get<int64_t>(), s["columns"].get<int64_t>(), event});
    }
    std::reverse(out.begin(), out.end());  // the latents begin with what leaves last
    return out;
  }

 private:
  // A row for each class of a model that was trained with labels; none for others.
  Rows context_of_each_class() const {
    Labels each;
    each.classes = column_names(model_).classes;
    for (size_t c = 0; c < each.classes.size(); ++c) each.of.push_back(static_cast<int32_t>(c));
    return each && info_.context_size ? context_of(each, info_.context_size, NF_F64) : Rows();
  }
  const ImagesArgs& args_;
  nf::Runtime runtime_;
  nf::Model model_;
  nf::ModelInfo info_;
  ImageShape shape_;
  nf::Session session_;
  Rows data_, context_;
};

struct SheetRow {
  std::string title;
  std::vector<double> images;
};
using Sheet = std::vector<SheetRow>;

Sheet samples(Gallery& g, const ImagesArgs& a, int64_t columns) {
  const int64_t contexts = g.contexts(), rows = a.rows ? a.rows : contexts > 1 ? contexts : kRows;
  if (contexts > 1 && rows > contexts)
    throw Failure(
        text("--rows %lld, but %s has ", static_cast<long long>(rows), a.context.c_str()) + counted(contexts, "row"),
        "each row of the picture has a context of its own: drop --rows", kUsage);
  Sheet sheet;
  for (int64_t r = 0; r < rows; ++r)
    sheet.push_back({"", g.samples(columns, contexts > 1 ? 0 : r * columns, a.temperature, r)});
  return sheet;
}

Sheet temperatures(Gallery& g, int64_t columns) {
  Sheet sheet;
  for (const double t : {0.0, 0.25, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0})
    // A temperature of 0 in nf_sampling is "as usual".
    sheet.push_back({text("T = %g", t), g.samples(columns, 0, t > 0 ? t : 1e-6)});
  return sheet;
}

// Images with more and more of their latents drawn anew: the finest scale, which leaves the chain first, then the next.
Sheet scales(Gallery& g, const ImagesArgs& a, int64_t columns) {
  const auto scales = g.scales();
  if (scales.size() < 2)
    throw Failure(a.model + " has a single scale: no layer \"split\"", "--show reconstruct, or interpolate", kUsage);
  const Matrix x = g.images(columns);
  const std::vector<double> z = g.to_latents(x), fresh = g.latents_of_samples(x.rows, a.temperature);
  const auto width = z.size() / static_cast<size_t>(x.rows);
  Sheet sheet{{"data", x.values}};
  std::vector<double> mixed = z;
  for (size_t s = 0; s < scales.size(); ++s) {
    for (size_t r = 0; r < static_cast<size_t>(x.rows); ++r)
      std::copy_n(&fresh[r * width + static_cast<size_t>(scales[s].first)], scales[s].count,
                  &mixed[r * width + static_cast<size_t>(scales[s].first)]);
    sheet.push_back({s + 1 == scales.size() ? "all of it new" : scales[s].event + " new",
                     g.to_images(mixed, x.rows, g.contexts_of(x.rows))});
  }
  return sheet;
}

// Between image r and image r + 1 of pairs, on the path in the latent space that keeps the length normal latents have.
Sheet interpolations(Gallery& g, const ImagesArgs& a, int64_t columns) {
  const Matrix x = g.images(2 * (a.rows ? a.rows : kRows));
  if (x.rows < 2) throw Failure(a.data + " has one image; between two is something to see");
  if (columns < 2) throw Failure("--columns 1: expected at least 2, the ends", {}, kUsage);
  const std::vector<double> z = g.to_latents(x);
  const size_t width = z.size() / static_cast<size_t>(x.rows);
  Sheet sheet;
  for (int64_t r = 0; r + 1 < x.rows; r += 2) {
    std::vector<double> path;
    for (int64_t k = 0; k < columns; ++k) {
      const double t = static_cast<double>(k) / static_cast<double>(columns - 1);
      const double length = std::sqrt(t * t + (1 - t) * (1 - t));
      const double* from = &z[static_cast<size_t>(r) * width];
      for (size_t j = 0; j < width; ++j) path.push_back(((1 - t) * from[j] + t * from[width + j]) / length);
    }
    sheet.push_back({"", g.to_images(path, columns, g.one_context(r))});
  }
  return sheet;
}

Sheet reconstructions(Gallery& g, int64_t columns) {
  const Matrix x = g.images(columns);
  const std::vector<double> back = g.to_images(g.to_latents(x), x.rows, g.contexts_of(x.rows));
  double largest = 0;
  for (size_t k = 0; k < back.size(); ++k) largest = std::max(largest, std::abs(back[k] - x.values[k]));
  std::printf("largest difference  %.3g between %s and what comes back of their latents\n", largest,
              counted(x.rows, "image").c_str());
  return {{"data", x.values}, {"there and back", back}};
}

void save_sheet(const nf::Model& model, const ImageShape& shape, const Sheet& rows, int zoom, const std::string& path,
                std::FILE* says) {
  std::vector<double> all;
  for (const SheetRow& row : rows) all.insert(all.end(), row.images.begin(), row.images.end());
  const PixelRange range = pixel_range(model, all);
  ImageSheet sheet(shape, {range.low, range.high}, zoom ? zoom : zoom_for(shape));
  for (const SheetRow& row : rows) sheet.add(row.images, row.title);
  const auto undefined = std::count_if(all.begin(), all.end(), [](double v) { return !std::isfinite(v); });
  if (undefined)
    std::fprintf(stderr, "nf: warning: %s not finite: orange in the picture\n",
                 (counted(undefined, "number") + (undefined == 1 ? " is" : " are")).c_str());
  save(sheet.draw(), path, says);
}
}  // namespace

int plot_images(const ImagesArgs& a) {
  check_picture(a.output, ".png");
  const bool of_data = a.show != Show::samples && a.show != Show::temperature;
  if (of_data && a.data.empty())
    throw Failure("--show " +
                      std::string(a.show == Show::scales        ? "scales"
                                  : a.show == Show::interpolate ? "interpolate"
                                                                : "reconstruct") +
                      " needs images: --data FILE",
                  {}, kUsage);
  Gallery g(a);
  const int64_t columns = a.count ? a.count : kColumns;
  Sheet sheet;
  if (a.show == Show::samples) sheet = samples(g, a, columns);
  if (a.show == Show::temperature) sheet = temperatures(g, columns);
  if (a.show == Show::scales) sheet = scales(g, a, columns);
  if (a.show == Show::interpolate) sheet = interpolations(g, a, columns);
  if (a.show == Show::reconstruct) sheet = reconstructions(g, columns);
  save_sheet(g.model(), g.shape(), sheet, a.zoom, a.output, stdout);
  return kOk;
}

void save_grid(const nf::Model& model, std::span<const double> images, const std::string& path, std::FILE* says) {
  const ImageShape shape = shape_of(model.info(), "the model");
  const auto size = static_cast<size_t>(shape.count()), n = images.size() / size;
  const auto columns = static_cast<size_t>(std::ceil(std::sqrt(static_cast<double>(n))));
  Sheet rows;
  for (size_t first = 0; first < n; first += columns) {
    const auto part = images.subspan(first * size, std::min(columns, n - first) * size);
    rows.push_back({"", {part.begin(), part.end()}});
  }
  save_sheet(model, shape, rows, 0, path, says);
}

}  // namespace cli
