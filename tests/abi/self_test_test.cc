// Self-tests in model files: stored exactly, verified on load, carried by checkpoints and copies, ignored by loads that
// do not ask for them, and noticed when the model is not the one that was saved.
#include "tests/abi/abi_support.h"

namespace abi_test {
namespace {

using Bytes = std::vector<unsigned char>;

nf_status load(const Bytes& file, bool verify, Model* out, Err* e) {
  const Options o = options({{"load.verify", verify ? "true" : "false"}});
  nf_model* m = nullptr;
  const nf_status status = nf_model_load_memory(nullptr, file.data(), file.size(), o.get(), &m, e);
  out->reset(m);
  return status;
}

constexpr const char* kSpecs[] = {
    kSpec,
    kContextSpec,
    R"({"event": [3], "dtype": "float64", "base": "student_t", "layers": [{"type": "spline_coupling"}, {"type": "reverse"}]})",
    R"({"event": [2], "context": [3], "base": {"type": "class_normal", "classes": 3, "labels": "one_hot"}, "layers": []})",
    R"({"event": [2], "layers": [{"type": "dequantize"}, {"type": "affine_coupling", "hidden": [4]}]})",
    R"({"event": [4, 4, 1], "layers": [{"type": "squeeze"}, {"type": "affine_coupling", "hidden": [4]}]})"};

TEST(SelfTest, IsVerifiedOnLoad) {
  for (const char* spec : kSpecs) {
    SCOPED_TRACE(spec);
    const Model m = model(nullptr, spec);
    const Bytes without = bytes_of(m.get());
    Err e;
    Model loaded;
    ASSERT_TRUE(ok(nf_model_set_self_test(m.get(), 20, &e), e));
    const Bytes with = bytes_of(m.get());
    EXPECT_EQ(bytes_of(m.get()), with) << "equal models give equal bytes";
    EXPECT_GT(with.size(), without.size());
    ASSERT_TRUE(ok(load(with, true, &loaded, &e), e));
    EXPECT_EQ(bytes_of(loaded.get()), with) << "files of the loaded model hold one too";
    ASSERT_TRUE(ok(load(with, false, &loaded, &e), e));
    EXPECT_EQ(nf_model_hash(loaded.get()), nf_model_hash(m.get()));
    EXPECT_TRUE(failed(NF_ERR_CHECKSUM, load(without, true, &loaded, &e), e, "no self-test"));
    ASSERT_TRUE(ok(nf_model_set_self_test(m.get(), 0, &e), e));
    EXPECT_EQ(bytes_of(m.get()), without);
  }
}

TEST(SelfTest, TravelsWithCopiesAndCheckpoints) {
  const Model m = model(nullptr);
  Err e;
  ASSERT_TRUE(ok(nf_model_set_self_test(m.get(), 3, &e), e));
  nf_model* p = nullptr;
  ASSERT_TRUE(ok(nf_model_clone(m.get(), nullptr, &p, &e), e));
  const Model clone(p);
  EXPECT_EQ(bytes_of(clone.get()), bytes_of(m.get()));
  const Trainer t = trainer(m.get());
  Tensor x = banana(50);
  ASSERT_TRUE(ok(nf_train_step(t.get(), Batch(x.view()), nullptr, &e), e));
  Bytes checkpoint;
  const nf_write_fn append = [](void* user, const void* bytes, size_t n) -> int32_t {
    const auto* b = static_cast<const unsigned char*>(bytes);
    static_cast<Bytes*>(user)->insert(static_cast<Bytes*>(user)->end(), b, b + n);
    return 0;
  };
  ASSERT_TRUE(ok(nf_trainer_save_stream(t.get(), append, &checkpoint, &e), e));
  Model loaded;
  ASSERT_TRUE(ok(load(checkpoint, true, &loaded, &e), e)) << "samples of the parameters that the checkpoint holds";
}

TEST(SelfTest, Misuse) {
  const Model m = model(nullptr);
  Err e;
  EXPECT_TRUE(failed(NF_ERR_ARGUMENT, nf_model_set_self_test(nullptr, 1, &e), e, "model is NULL"));
  EXPECT_TRUE(failed(NF_ERR_ARGUMENT, nf_model_set_self_test(m.get(), -1, &e), e, "rows is -1"));
  EXPECT_TRUE(failed(NF_ERR_ARGUMENT, nf_model_set_self_test(m.get(), 1001, &e), e, "expected 0 to 1000"));
}

}  // namespace
}  // namespace abi_test
