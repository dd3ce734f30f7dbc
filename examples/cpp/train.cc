// Using libnf from C++: trains a RealNVP on a banana, saves and loads it, scores and samples. Needs only nf.hpp and -lnf.
// clang-format off
//   c++ -std=c++17 -O2 -Iinclude examples/cpp/train.cc -Lbuild/src -lnf -Wl,-rpath,$PWD/build/src -o build/train_cpp
//   build/train_cpp build/banana.safetensors
// clang-format on
#include <cmath>
#include <cstdio>
#include <exception>
#include <nf/nf.hpp>
#include <random>
#include <vector>

namespace {

constexpr char kSpec[] = R"({"event": [2], "layers": [
  {"repeat": 4, "layers": [{"type": "affine_coupling", "hidden": [32, 32]}, {"type": "reverse"}]}]})";

// y = x^2 / 2 plus noise, which a Gaussian cannot fit.
std::vector<float> banana(size_t rows, unsigned seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal;
  std::vector<float> out;
  for (size_t i = 0; i < rows; ++i) {
    const float x = normal(engine);
    out.push_back(x);
    out.push_back(0.5f * x * x + 0.3f * normal(engine));
  }
  return out;
}

double mean_log_prob(const nf::Model& model, const std::vector<float>& rows) {
  double sum = 0;
  const std::vector<float> log_prob = nf::score(model, nf::View(rows, 2));
  for (float v : log_prob) sum += v;
  return sum / static_cast<double>(log_prob.size());
}

int run(const char* path) {
  const nf::Runtime runtime;
  nf::Model model(runtime, kSpec, /*seed=*/1);
  const std::vector<float> train = banana(4096, 1), test = banana(1024, 2);
  const double before = mean_log_prob(model, test);

  // Errors are exceptions that carry the status of nf.h. A trainer accepts any rows; here, mini-batches of a table.
  nf::Trainer trainer(model, {{"trainer.lr", 2e-3}});
  nf::Batches batches(runtime, nf::View(train, 2), {{"batches.batch", 256}, {"batches.seed", 7}});
  trainer.run(batches, 300, [](const nf::StepInfo& s) {
    if (s.step % 100 == 0) std::printf("step %3d  loss %.3f\n", static_cast<int>(s.step), s.loss);
    return true;  // false stops
  });
  const double after = mean_log_prob(model, test);
  std::printf("mean log-likelihood of test rows: %.3f before, %.3f after\n", before, after);

  model.save(path);
  const nf::Model loaded = nf::Model::load(runtime, path);
  nf::Session a(model), b(loaded);
  const bool same = a.log_prob(nf::View(test, 2)) == b.log_prob(nf::View(test, 2));

  // Samples are numbered, so splitting a run gives the same rows.
  const std::vector<float> all = b.sample(100, /*seed=*/5);
  std::vector<float> parts = b.sample(40, 5);
  const std::vector<float> rest = b.sample(60, {5, /*first_index=*/40});
  parts.insert(parts.end(), rest.begin(), rest.end());

  if (!(after > before + 0.1)) return std::puts("training did not improve the model"), 1;
  if (!same) return std::puts("the loaded model scores differently"), 1;
  if (all != parts) return std::puts("samples depend on the split"), 1;
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc > 1 ? argv[1] : "/tmp/banana.safetensors");
  } catch (const nf::Exception& e) {
    std::printf("%s: %s\n", nf::status_name(e.status()), e.what());
    return 2;
  }
}
