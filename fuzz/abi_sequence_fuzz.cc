// Calls of the ABI in any order, with NULL, wrong sizes and handles in any state, except those that were freed: each gives a
// status, a message where it fails, and its outputs stay as they were then.
#include <array>

#include "fuzz/random_model.h"

namespace fuzz {
namespace {

constexpr const char* kSpecs[] = {
    R"({"event": [2], "layers": [{"type": "affine_coupling", "hidden": [4]}]})",
    R"({"event": [2], "context": 1, "layers": [{"type": "actnorm"}, {"type": "planar"}]})",
    R"({"event": [2, 2, 1], "layers": [{"type": "squeeze"}, {"type": "dequantize"}]})",
    R"({"kind": "vae", "event": [3], "latent": 1})",
    R"({"event": [2], "layers": [)",
};
constexpr size_t kSlots = 3;

class World {
 public:
  // Mostly begins with a model, and perhaps a session and a trainer of it.
  explicit World(Bytes& b) : b_(b) {
    if (b_.below(4) == 1) return;
    const std::string spec = kSpecs[b_.below(4)];
    require(nf_model_create(runtime().get(), spec.data(), spec.size(), 1, &models_[0], nullptr) == NF_OK);
    if (b_.coin()) require(nf_session_create(models_[0], nullptr, &sessions_[0], nullptr) == NF_OK);
    if (b_.coin()) require(nf_trainer_create(models_[0], nullptr, nullptr, &trainers_[0], nullptr) == NF_OK);
  }
  ~World() {
    for (nf_trainer* t : trainers_) nf_trainer_free(t);
    for (nf_session* s : sessions_) nf_session_free(s);
    for (nf_model* m : models_) nf_model_free(m);
    nf_target_free(target_);
    nf_options_free(options_);
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  void call() {
    nf_model*& m = models_[static_cast<size_t>(b_.below(kSlots))];
    nf_session*& s = sessions_[static_cast<size_t>(b_.below(kSlots))];
    nf_trainer*& t = trainers_[static_cast<size_t>(b_.below(kSlots))];
    nf_error e = NF_ERROR_INIT;
    const auto said = [&](nf_status status) {
      require(status != NF_ERR_INTERNAL && status == e.code && (status == NF_OK || e.message[0]));
      return status == NF_OK;
    };
    nf_view x = in(), ctx = in();
    nf_out out = to(), more = to();
    const nf_view* c = b_.coin() ? nullptr : &ctx;
    nf_batch batch = NF_BATCH_INIT;
    batch.x = b_.below(8) == 1 ? nullptr : &x, batch.ctx = c;
    switch (b_.below(24)) {
      case 0: {
        const std::string spec = kSpecs[b_.below(5)];
        nf_model* made = nullptr;
        if (said(nf_model_create(runtime().get(), spec.data(), spec.size(), b_.byte(), &made, &e))) {
          free_users(m);
          nf_model_free(m);
          m = made;
        } else {
          require(made == nullptr);
        }
        break;
      }
      case 1:
      case 2: {
        nf_session* made = nullptr;
        if (said(nf_session_create(m, b_.coin() ? nullptr : options_, &made, &e))) {
          nf_session_free(s);
          s = made;
        }
        break;
      }
      case 3:
      case 4: {
        nf_trainer* made = nullptr;
        if (said(nf_trainer_create(m, b_.coin() ? nullptr : options_, nullptr, &made, &e))) {
          nf_trainer_free(t);
          t = made;
        }
        break;
      }
      case 5:
        if (!options_) said(nf_options_create(&options_, &e));
        break;
      case 6: {
        static const char* const kKeys[] = {"trainer.lr",
                                            "trainer.objective",
                                            "session.score_samples",
                                            "session.nonfinite",
                                            "trainer.clip_norm",
                                            "trainer.memory",
                                            "runtime.threads",
                                            "trainer.draws",
                                            "session.gradients",
                                            "nonsense",
                                            ""};
        static const char* const kValues[] = {"0.1",  "elbo",   "3", "error", "-1",   "invert",
                                              "true", "fisher", "",  "nan",   "1e300"};
        said(nf_options_set(options_, kKeys[b_.below(11)], kValues[b_.below(11)], &e));
        break;
      }
      case 7:
        said(nf_log_prob(s, &x, c, &out, &e));
        break;
      case 8:
        said(nf_forward(s, &x, c, &out, b_.coin() ? nullptr : &more, &e));
        break;
      case 9:
        said(nf_inverse(s, &x, c, &out, nullptr, &e));
        break;
      case 10: {
        nf_sampling how = NF_SAMPLING_INIT;
        how.seed = b_.byte(), how.first_index = b_.word(), how.repeat = b_.below(4), how.temperature = b_.number();
        said(nf_sample(s, b_.coin() ? nullptr : &how, c, &out, nullptr, &e));
        break;
      }
      case 11:
        said(nf_train_step(t, &batch, nullptr, &e));
        break;
      case 12:
        said(nf_trainer_evaluate(t, &batch, &number_, nullptr, &e));
        break;
      case 13:
        said(nf_log_prob_grad(s, &x, c, nullptr, &out, nullptr, &e));
        break;
      case 14:
        said(
            nf_vjp(s, static_cast<nf_direction>(b_.below(3)), &x, c, &x, nullptr, nullptr, nullptr, &out, nullptr, &e));
        break;
      case 15:
        said(nf_encode(s, &x, c, &out, nullptr, nullptr, nullptr, &e));
        break;
      case 16:
        said(nf_decode(s, &x, c, &out, &e));
        break;
      case 17:
        said(nf_model_init_from_data(m, &x, c, &e));
        break;
      case 18: {
        nf_target* made = nullptr;
        const std::string name = b_.coin() ? "banana" : "nothing";
        if (said(nf_target_create(runtime().get(), name.data(), name.size(), small(), &made, &e))) {
          // A trainer may still hold the old one: it shares it.
          nf_target_free(target_);
          target_ = made;
        }
        break;
      }
      case 19:
        said(nf_trainer_set_target(t, target_, &e));
        break;
      case 20: {
        nf_importance_info info = NF_IMPORTANCE_INFO_INIT;
        said(nf_importance(s, target_, 1, b_.word(), small(), c, nullptr, nullptr, &info, &e));
        break;
      }
      case 21: {
        nf_importance_info info = NF_IMPORTANCE_INFO_INIT;
        if (b_.coin()) info.struct_size = size(sizeof info);
        const int64_t n = small();
        if (n <= 1000) said(nf_posterior_importance(s, &x, c, 1, 0, n, nullptr, nullptr, &info, &e));
        break;
      }
      case 22:
        said(nf_base_sample(s, nullptr, c, &out, &e));
        break;
      default:
        said(nf_model_copy(m, models_[static_cast<size_t>(b_.below(kSlots))], &e));
    }
  }

 private:
  // Of a struct, down to nothing. A larger one would promise memory behind it.
  uint32_t size(size_t most) { return static_cast<uint32_t>(b_.below(static_cast<int64_t>(most) + 1)); }
  int64_t small() { return b_.below(8) == 1 ? static_cast<int64_t>(b_.word()) >> 56 : b_.below(5); }
  nf_view in() {
    for (double& v : numbers_) v = b_.byte() / 64.0 - 2;
    nf_view v = nf_rows_f64(numbers_.data(), b_.below(4), b_.below(5));
    if (b_.below(32) == 1) v.struct_size = size(sizeof v);
    return v;
  }
  nf_out to() {
    const int64_t n = b_.below(4);
    return b_.coin() ? nf_out_rows_f64(written_.data(), n, b_.below(5)) : nf_out_vec_f64(written_.data(), n);
  }
  // A model outlives its sessions and trainers as R3 says; the order in which they are freed is free, and here mixed.
  void free_users(nf_model*) {
    if (b_.coin()) return;
    for (nf_session*& s : sessions_) nf_session_free(s), s = nullptr;
  }

  Bytes& b_;
  std::array<nf_model*, kSlots> models_{};
  std::array<nf_session*, kSlots> sessions_{};
  std::array<nf_trainer*, kSlots> trainers_{};
  nf_options* options_ = nullptr;
  nf_target* target_ = nullptr;
  std::array<double, 32> numbers_{}, written_{};
  double number_ = 0;
};

}  // namespace
}  // namespace fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Bytes b(data, size);
  fuzz::World world(b);
  for (int calls = 0; b.left() > 0 && calls < 64; ++calls) world.call();
  return 0;
}
