// Checkpoints with one thing wrong and a checksum that fits: the status and a word of the message for each kind. A refused
// one leaves the model, the trainer and the run as they were.
#include <fstream>
#include <functional>

#include "tests/abi/abi_support.h"
#include "tests/torture/model_bytes.h"

namespace abi_test {
namespace {

using namespace libnf::test;
using libnf::TensorType;

struct Kind {
  const char* name;
  nf_status status;
  const char* word;  // the message has it
  std::function<void(Pieces&)> edit;
};

auto state(const char* from, const std::string& to) {
  return [=](Pieces& p) {
    std::string& text = p.metadata["nf.checkpoint"];
    text = replaced(text, from, to);
  };
}
// Replaces the value of a key of the state.
auto value(const std::string& key, const std::string& to, const char* where = "nf.checkpoint") {
  return [=](Pieces& p) {
    std::string& text = p.metadata[where];
    const size_t at = text.find("\"" + key + "\":");
    if (at == std::string::npos) throw std::runtime_error("no " + key + " in " + text);
    const size_t from = at + key.size() + 3;
    const size_t end = text[from] == '"' ? text.find('"', from + 1) + 1 : text.find_first_of(",}", from);
    text.replace(from, end - from, to);
  };
}
auto number(const char* tensor, float v) {
  return [=](Pieces& p) { p.tensor(tensor).set(0, v); };
}
auto other_type(const char* tensor, TensorType type) {
  return [=](Pieces& p) {
    auto& t = p.tensor(tensor);
    t.type = type;
    t.shape[0] = t.shape[0] * 4 / static_cast<int64_t>(libnf::size_of(type));
  };
}
// One of the 14 numbers of the guard: Divergence::Field.
auto guard_number(size_t at, const char* to) {
  return [=](Pieces& p) {
    std::string& text = p.metadata["nf.checkpoint"];
    size_t from = text.find("\"guard\":\"") + 9;
    for (size_t i = 0; i < at; ++i) from = text.find(' ', from) + 1;
    text.replace(from, text.find_first_of(" \"", from) - from, to);
  };
}

const std::vector<Kind>& kinds() {
  const float nan = std::nanf("");
  static const std::vector<Kind> all = {
      {"a model", NF_ERR_STATE, "not a checkpoint", [](Pieces& p) { p.metadata.erase("nf.checkpoint"); }},
      {"no JSON", NF_ERR_FORMAT, "checkpoint", [](Pieces& p) { p.metadata["nf.checkpoint"] = "{\"step\":"; }},
      {"a list", NF_ERR_FORMAT, "not an object", [](Pieces& p) { p.metadata["nf.checkpoint"] = "[]"; }},
      {"deep JSON", NF_ERR_FORMAT, "checkpoint",
       [](Pieces& p) { p.metadata["nf.checkpoint"] = std::string(60000, '['); }},
      {"another optimizer", NF_ERR_STATE, "optimizer", value("optimizer", "\"sgd\"")},
      {"a number as optimizer", NF_ERR_STATE, "optimizer", value("optimizer", "7")},
      {"no step", NF_ERR_FORMAT, "\"step\"", state("\"step\"", "\"stop\"")},
      {"a negative step", NF_ERR_FORMAT, "\"step\"", value("step", "-1")},
      {"half a step", NF_ERR_FORMAT, "\"step\"", value("step", "0.5")},
      {"2^64 - 1 steps", NF_ERR_FORMAT, "steps", value("step", "18446744073709551615")},
      {"moments as old as -1 steps", NF_ERR_FORMAT, "older_steps",
       value("step", "0,\"older_steps\":18446744073709551615")},
      {"a plateau of NaN", NF_ERR_FORMAT, "plateau", value("plateau_best", "\"nan\"")},
      {"a negative factor", NF_ERR_FORMAT, "plateau", value("plateau_factor", "\"-0x1p+0\"")},
      {"a factor of infinity", NF_ERR_FORMAT, "plateau", value("plateau_factor", "\"inf\"")},
      {"a factor of NaN", NF_ERR_FORMAT, "plateau", value("plateau_factor", "\"nan\"")},
      {"a factor in words", NF_ERR_FORMAT, "plateau_factor", value("plateau_factor", "\"one\"")},
      {"a list of no rates", NF_ERR_FORMAT, "rates", value("step", "5,\"rates\":7")},
      {"two rates for one group", NF_ERR_FORMAT, "learning rates",
       value("step", "5,\"rates\":[\"0x1p-9\",\"0x1p-9\"]")},
      {"a negative rate", NF_ERR_FORMAT, "learning rate", value("step", "5,\"rates\":[\"-0x1p-9\"]")},
      {"a rate of NaN", NF_ERR_FORMAT, "learning rate", value("step", "5,\"rates\":[\"nan\"]")},
      {"a rate of infinity", NF_ERR_FORMAT, "learning rate", value("step", "5,\"rates\":[\"inf\"]")},
      {"groups", NF_ERR_STATE, "groups", value("step", "5,\"groups\":\"[{}]\"")},
      {"a block of no rows", NF_ERR_FORMAT, "block_rows", value("block_rows", "0")},
      {"a block of a million rows", NF_ERR_FORMAT, "block_rows", value("block_rows", "1000000")},
      {"work of 2^63 - 1", NF_ERR_FORMAT, "row_work", value("row_work", "9223372036854775807")},
      {"a kept input of no layer", NF_ERR_FORMAT, "layer", value("step", "5,\"kept_inputs\":[77]")},
      {"a kept input of 2^40", NF_ERR_FORMAT, "kept_inputs", value("step", "5,\"kept_inputs\":[1099511627776]")},
      {"a guard in words", NF_ERR_FORMAT, "guard", value("guard", "\"here and there\"")},
      {"a guard that saw -1 losses", NF_ERR_FORMAT, "guard", guard_number(0, "-1p+0")},
      {"a guard whose best is NaN", NF_ERR_FORMAT, "guard", guard_number(6, "nan")},
      {"a guard with a factor of 2", NF_ERR_FORMAT, "guard", guard_number(12, "1p+1")},
      {"a guard with a negative factor", NF_ERR_FORMAT, "guard", guard_number(12, "-1p-1")},
      {"a guard that went back 2^40 times", NF_ERR_FORMAT, "guard", guard_number(13, "1p+40")},
      {"a guard of age 2^64 - 1", NF_ERR_FORMAT, "guard_age", value("guard_age", "18446744073709551615")},
      {"a moment of NaN", NF_ERR_NUMERIC, "optimizer.m", number("optimizer.m", nan)},
      {"an infinite moment", NF_ERR_NUMERIC, "finite", number("optimizer.m", INFINITY)},
      {"a negative mean square", NF_ERR_NUMERIC, "0 or more", number("optimizer.v", -1e-3f)},
      {"an infinite mean square", NF_ERR_NUMERIC, "optimizer.v", number("optimizer.v", INFINITY)},
      {"a mean square of NaN", NF_ERR_NUMERIC, "optimizer.v", number("optimizer.v", nan)},
      {"an average of NaN", NF_ERR_NUMERIC, "optimizer.average", number("optimizer.average", nan)},
      {"a kept parameter of infinity", NF_ERR_NUMERIC, "optimizer.guard.parameters",
       number("optimizer.guard.parameters", INFINITY)},
      {"a kept moment of NaN", NF_ERR_NUMERIC, "optimizer.guard.m", number("optimizer.guard.m", nan)},
      {"a parameter of NaN", NF_ERR_NUMERIC, "not finite", number("layers.1.net.output.bias", nan)},
      {"moments that are integers", NF_ERR_FORMAT, "dtype", other_type("optimizer.m", TensorType::u64)},
      {"moments in float64", NF_ERR_FORMAT, "dtype", other_type("optimizer.v", TensorType::f64)},
      {"fewer moments", NF_ERR_FORMAT, "size",
       [](Pieces& p) {
         p.tensor("optimizer.m").shape[0] -= 1;
         p.tensor("optimizer.m").data.resize(p.tensor("optimizer.m").data.size() - 4);
       }},
      {"no moments", NF_ERR_FORMAT, "optimizer.m", [](Pieces& p) { p.erase("optimizer.m"); }},
      {"no average", NF_ERR_STATE, "ema_decay", [](Pieces& p) { p.erase("optimizer.average"); }},
      {"no kept parameters", NF_ERR_FORMAT, "guard.parameters",
       [](Pieces& p) { p.erase("optimizer.guard.parameters"); }},
      {"a parameter less", NF_ERR_FORMAT, "missing", [](Pieces& p) { p.erase("layers.1.net.output.bias"); }},
      {"another spec", NF_ERR_STATE, "spec",
       [](Pieces& p) { p.metadata["nf.spec"] = replaced(p.metadata["nf.spec"], "\"hidden\":[4]", "\"hidden\":[5]"); }},
  };
  return all;
}

constexpr char kModel[] =
    R"({"event": [2], "layers": [{"type": "actnorm"}, {"type": "affine_coupling", "hidden": [4]}]})";

std::string stream_of(const nf_trainer* t) {
  std::string file;
  Err e;
  const nf_write_fn append = [](void* user, const void* bytes, size_t n) -> int32_t {
    static_cast<std::string*>(user)->append(static_cast<const char*>(bytes), n);
    return 0;
  };
  EXPECT_TRUE(ok(nf_trainer_save_stream(t, append, &file, &e), e));
  return file;
}

class BadCheckpoints : public Counted {};

TEST_F(BadCheckpoints, ChangeNothing) {
  const Options o = options({{"trainer.ema_decay", "0.9"}, {"trainer.guard", "back"}, {"trainer.max_steps", "100"}});
  const Model m = model(rt.get(), kModel), other = model(rt.get(), kModel, 7);
  const Trainer t = trainer(m.get(), o.get()), u = trainer(other.get(), o.get());
  Tensor x = banana(64);
  Err e;
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(ok(nf_train_step(t.get(), Batch(x.view()), nullptr, &e), e));
  ASSERT_TRUE(ok(nf_train_step(u.get(), Batch(x.view()), nullptr, &e), e));
  const std::string good = stream_of(t.get());
  ASSERT_EQ(put_together(taken_apart(good)), good);
  const std::string before = stream_of(u.get());
  for (const Kind& k : kinds()) {
    SCOPED_TRACE(k.name);
    Pieces p = taken_apart(good);
    k.edit(p);
    const std::string bad = put_together(p);
    ASSERT_NE(bad, good);
    const int64_t live = allocator.live;
    EXPECT_TRUE(failed(k.status, nf_trainer_restore_memory(u.get(), bad.data(), bad.size(), &e), e, k.word));
    EXPECT_EQ(stream_of(u.get()), before);
    EXPECT_EQ(allocator.live, live);
  }
  ASSERT_TRUE(ok(nf_trainer_restore_memory(u.get(), good.data(), good.size(), &e), e));
  EXPECT_EQ(stream_of(u.get()), good);
}

TEST_F(BadCheckpoints, EveryTruncationAndManyFlippedBits) {
  const Model m = model(rt.get(), kModel);
  const Trainer t = trainer(m.get());
  Tensor x = banana(64);
  Err e;
  ASSERT_TRUE(ok(nf_train_step(t.get(), Batch(x.view()), nullptr, &e), e));
  const std::string good = stream_of(t.get());
  const auto refused = [&](const std::string& bad) {
    const nf_status status = nf_trainer_restore_memory(t.get(), bad.data(), bad.size(), &e);
    return failed(status, status, e) &&
           (status == NF_ERR_FORMAT || status == NF_ERR_CHECKSUM || status == NF_ERR_VERSION || status == NF_ERR_STATE);
  };
  for (size_t n = 0; n < good.size(); ++n) ASSERT_TRUE(refused(good.substr(0, n))) << n << " bytes";
  for (size_t bit = 0; bit < 8 * good.size(); bit += 13) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ 1 << bit % 8);
    ASSERT_TRUE(refused(bad)) << "bit " << bit % 8 << " of byte " << bit / 8;
  }
  EXPECT_EQ(stream_of(t.get()), good);
}

constexpr char kFit[] = "nf.fit";
const std::vector<Kind>& runs() {
  static const std::vector<Kind> all = {
      {"no state of a run", NF_ERR_STATE, "not the checkpoint of a run", [](Pieces& p) { p.metadata.erase(kFit); }},
      {"no JSON", NF_ERR_FORMAT, kFit, [](Pieces& p) { p.metadata[kFit] = "{"; }},
      {"deep JSON", NF_ERR_FORMAT, kFit, [](Pieces& p) { p.metadata[kFit] = std::string(1 << 20, '['); }},
      {"a number as run", NF_ERR_FORMAT, kFit, [](Pieces& p) { p.metadata[kFit] = "7"; }},
      {"other data", NF_ERR_STATE, "hash of the data", value("hash of the data", "\"0000000000000000\"", kFit)},
      {"another learning rate", NF_ERR_STATE, "lr", value("lr", "0.5", kFit)},
      {"another step than the trainer's", NF_ERR_FORMAT, "different steps", value("step", "5", kFit)},
      {"numbers in words", NF_ERR_FORMAT, "numbers", value("numbers", "\"few\"", kFit)},
      {"a negative count", NF_ERR_FORMAT, "loss_count", value("loss_count", "-3", kFit)},
      {"best weights of NaN", NF_ERR_NUMERIC, "optimizer.best.layers.0.shift",
       number("optimizer.best.layers.0.shift", std::nanf(""))},
      {"no best weights", NF_ERR_FORMAT, "optimizer.best.layers.0.shift",
       [](Pieces& p) { p.erase("optimizer.best.layers.0.shift"); }},
      {"best weights that are integers", NF_ERR_FORMAT, "dtype",
       other_type("optimizer.best.layers.0.shift", TensorType::u64)},
      {"moments of NaN", NF_ERR_NUMERIC, "optimizer.m", number("optimizer.m", std::nanf(""))},
  };
  return all;
}

TEST_F(BadCheckpoints, OfRunsChangeNothing) {
  const TempDir dir;
  const std::string path = dir / "c.safetensors";
  const Options o = options({{"fit.steps", "20"}, {"fit.valid_every", "10"}, {"fit.checkpoint", path.c_str()}});
  Tensor x = banana(100);
  Err e;
  {
    const Model m = model(rt.get(), kModel);
    ASSERT_TRUE(ok(nf_fit(m.get(), Batch(x.view()), nullptr, o.get(), nullptr, nullptr, nullptr, &e), e));
  }
  std::ifstream in(path, std::ios::binary);
  const std::string good{std::istreambuf_iterator<char>(in), {}};
  const Options resume = options(
      {{"fit.steps", "30"}, {"fit.valid_every", "10"}, {"fit.checkpoint", path.c_str()}, {"fit.resume", "true"}});
  const auto write = [&](const std::string& file) { std::ofstream(path, std::ios::binary) << file; };
  const Model m = model(rt.get(), kModel, 9);
  const uint64_t before = nf_model_hash(m.get());
  const auto run = [&] {
    return nf_fit(m.get(), Batch(x.view()), nullptr, resume.get(), nullptr, nullptr, nullptr, &e);
  };
  for (const Kind& k : runs()) {
    SCOPED_TRACE(k.name);
    Pieces p = taken_apart(good);
    k.edit(p);
    const std::string bad = put_together(p);
    ASSERT_NE(bad, good);
    write(bad);
    EXPECT_TRUE(failed(k.status, run(), e, k.word));
    EXPECT_EQ(nf_model_hash(m.get()), before);
    std::ifstream again(path, std::ios::binary);
    EXPECT_EQ((std::string{std::istreambuf_iterator<char>(again), {}}), bad) << "the file has changed";
  }
  for (const size_t n : {size_t{0}, size_t{7}, good.size() / 2, good.size() - 1}) {
    write(good.substr(0, n));
    EXPECT_TRUE(failed(NF_ERR_FORMAT, run(), e)) << n << " bytes";
  }
  write(good);
  EXPECT_TRUE(ok(run(), e));
}

}  // namespace
}  // namespace abi_test
