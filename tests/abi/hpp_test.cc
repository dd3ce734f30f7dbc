// nf.hpp: exceptions carry status and message, handles can be moved, data go in and out as vectors, callbacks may
// throw.
#include <nf/nf.hpp>
#include <type_traits>

#include "tests/abi/abi_support.h"

namespace abi_test {
namespace {

static_assert(std::is_move_constructible_v<nf::Model> && !std::is_copy_constructible_v<nf::Model>);
static_assert(std::is_move_assignable_v<nf::Session> && !std::is_copy_assignable_v<nf::Session>);
static_assert(std::is_same_v<nf::Trainer, nf::api::Trainer>, "the inline namespace");

class Hpp : public testing::Test {
 protected:
  nf::Runtime rt;
  nf::Model m{rt, kSpec, 1};
  std::vector<float> x = banana(300).v;
};

TEST_F(Hpp, ErrorsAreExceptions) {
  try {
    nf::Model(rt, R"({"event": [2], "layers": [{"type": "revers"}]})", 1);
    FAIL() << "no exception";
  } catch (const nf::Exception& e) {
    EXPECT_EQ(e.status(), NF_ERR_SPEC);
    EXPECT_NE(std::string(e.what()).find("reverse"), std::string::npos);
  }
  EXPECT_THROW(nf::Model::load(rt, "no/such/file"), nf::Exception);
  EXPECT_THROW((nf::Options{{"lr", "fast"}}), nf::Exception);
  EXPECT_THROW(nf::View(x, 7), nf::Exception) << "300 * 2 numbers cannot be rows of 7";
  EXPECT_THROW(nf::Session(m).log_prob(nf::View(x, 3)), nf::Exception);
}

TEST_F(Hpp, SameNumbersAsTheCCalls) {
  nf::Session s(m);
  const std::vector<float> ll = s.log_prob(nf::View(x, 2));
  const Session c = session(m.get());
  Tensor in({300, 2}, x), out({300});
  Err e;
  ASSERT_TRUE(ok(nf_log_prob(c.get(), in.view(), nullptr, out.view(), &e), e));
  EXPECT_TRUE(same_bits(ll, out.v));
  const std::vector<double> wide(x.begin(), x.end()), wide_ll = s.log_prob<double>(nf::View(wide, 2));
  EXPECT_EQ(static_cast<float>(wide_ll[17]), ll[17]);

  std::vector<float> log_det(300), back_det(300);
  const std::vector<float> z = s.forward(nf::View(x, 2), log_det), back = s.inverse(nf::View(z, 2), back_det);
  for (size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(back[i], x[i], 1e-4);
  for (size_t i = 0; i < log_det.size(); ++i) EXPECT_NEAR(back_det[i], -log_det[i], 1e-4);

  std::vector<float> sample_ll(10);
  const std::vector<float> samples = s.sample(10, 3, 0, sample_ll), again = s.log_prob(nf::View(samples, 2));
  for (size_t i = 0; i < again.size(); ++i) EXPECT_NEAR(again[i], sample_ll[i], 1e-4);
  EXPECT_EQ(s.bytes(), nf_session_bytes(s.get()));
}

TEST_F(Hpp, TracesEveryStep) {
  constexpr int64_t n = 300;
  nf::Model deep(rt, R"({"event": [2], "layers": [{"type": "shuffle"}, {"repeat": 2, "invert": true, "layers": [
    {"type": "affine_coupling", "hidden": [8]}, {"type": "reverse"}]}]})",
                 1);
  const std::vector<std::string> steps = deep.steps();
  EXPECT_EQ(steps,
            (std::vector<std::string>{"spec.layers[0] (shuffle)", "spec.layers[1].layers[1] (reverse, repetition 0)",
                                      "spec.layers[1].layers[0] (affine_coupling, repetition 0)",
                                      "spec.layers[1].layers[1] (reverse, repetition 1)",
                                      "spec.layers[1].layers[0] (affine_coupling, repetition 1)"}));
  EXPECT_EQ(nf_model_step(deep.get(), -1), nullptr);
  EXPECT_EQ(nf_model_step(deep.get(), deep.info().layer_count), nullptr);
  EXPECT_EQ(nf_model_step(nullptr, 0), nullptr);

  nf::Session s(deep);
  const std::vector<float> there = s.trace(nf::View(x, 2)), z = s.forward(nf::View(x, 2));
  ASSERT_EQ(there.size(), x.size() * (steps.size() + 1));
  const auto state = [&](const std::vector<float>& all, size_t k) {
    const auto first = all.begin() + static_cast<long>(k * x.size());
    return std::vector<float>(first, first + static_cast<long>(x.size()));
  };
  EXPECT_TRUE(same_bits(state(there, 0), x));
  EXPECT_TRUE(same_bits(state(there, steps.size()), z));
  EXPECT_FALSE(same_bits(state(there, 2), state(there, 3)));
  std::vector<float> swapped = state(there, 1);
  for (size_t r = 0; r < n; ++r) std::swap(swapped[2 * r], swapped[2 * r + 1]);
  EXPECT_TRUE(same_bits(state(there, 2), swapped)) << "step 1 is reverse";
  const std::vector<float> back = s.trace(nf::View(z, 2), true);
  EXPECT_TRUE(same_bits(state(back, 0), z));
  EXPECT_TRUE(same_bits(state(back, steps.size()), s.inverse(nf::View(z, 2))));
  for (size_t k = 0; k <= steps.size(); ++k)
    for (size_t i = 0; i < x.size(); ++i)
      ASSERT_NEAR(state(back, steps.size() - k)[i], state(there, k)[i], 1e-4) << "step " << k;
  EXPECT_THROW(s.trace(nf::View(x, 3)), nf::Exception);
}

TEST_F(Hpp, FitsLayersToData) {
  nf::Model fitted(rt, R"({"event": [2], "layers": [{"type": "standardize"}]})", 1);
  fitted.fit_data(nf::View(x, 2));
  const std::vector<float> z = nf::Session(fitted).forward(nf::View(x, 2));
  double sum = 0, squares = 0;
  for (size_t i = 0; i < z.size(); i += 2) {
    sum += z[i];
    squares += z[i] * z[i];
  }
  EXPECT_NEAR(sum / 300, 0, 1e-5);
  EXPECT_NEAR(squares / 299, 1, 1e-5);
  EXPECT_THROW(
      nf::Model(rt, R"({"event": [2], "layers": [{"type": "actnorm"}]})", 1).fit_data(nf::View(x.data(), 1, 2)),
      nf::Exception);
}

TEST_F(Hpp, AveragesAndMappedTables) {
  const TempDir dir;
  nf::Trainer t(m, {{"ema_decay", 0.5}});
  t.step(nf::View(x, 2));
  t.step(nf::View(x, 2));
  const uint64_t last = info(m.get()).hash;
  t.use_average(true);
  EXPECT_NE(info(m.get()).hash, last);
  t.use_average(false);
  EXPECT_EQ(info(m.get()).hash, last);
  const std::string path = dir / "x.npy";
  nf::save_table(nf::View(x, 2), path);
  EXPECT_TRUE(nf::Table(rt, path, {{"map", "on"}}).mapped());
  EXPECT_FALSE(nf::Table(rt, path).mapped());
}

TEST_F(Hpp, TrainSaveLoad) {
  const TempDir dir;
  nf::Trainer t(m, {{"lr", 1e-3}, {"optimizer", "adam"}});
  nf::Batches b(rt, nf::View(x, 2), {{"batch", 100}});
  EXPECT_EQ(b.per_epoch(), 3u);
  EXPECT_EQ(b.at(5).x.rows(), 100);
  EXPECT_TRUE(b.at(0).ctx.none());
  int calls = 0;
  EXPECT_FALSE(t.run(b, 5, [&](const nf_step_info& s) { return ++calls, s.step <= 5; }));
  EXPECT_EQ(calls, 5);
  EXPECT_EQ(t.step_count(), 5u);
  EXPECT_TRUE(t.run(b, 100, [](const nf_step_info& s) { return s.step < 7; })) << "stopped";
  EXPECT_EQ(t.step_count(), 7u);
  EXPECT_THROW(t.run(b, 100, [](const nf_step_info&) -> bool { throw std::out_of_range("mine"); }), std::out_of_range);
  const nf_step_info last = t.step(nf::View(x, 2));
  EXPECT_EQ(last.step, t.step_count());
  t.save(dir / "c.safetensors");
  t.restore(dir / "c.safetensors");

  m.set_note("who", "me");
  const std::vector<unsigned char> bytes = m.to_bytes();
  nf::Model loaded = nf::Model::from_bytes(rt, bytes.data(), bytes.size());
  EXPECT_EQ(loaded.info().hash, m.info().hash);
  EXPECT_EQ(loaded.note("who"), "me");
  EXPECT_EQ(loaded.note_keys(), std::vector<std::string>{"who"});
  EXPECT_EQ(loaded.spec(), m.spec());
  loaded = nf::Model::load(rt, dir / "c.safetensors");
  EXPECT_EQ(loaded.info().hash, m.info().hash);
}

TEST_F(Hpp, Tables) {
  const TempDir dir;
  nf::save_table(nf::View(x, 2), dir / "x.npy");
  const nf::Table table(rt, dir / "x.npy");
  EXPECT_EQ(table.view().rows(), 300);
  EXPECT_EQ(table.view().cols(), 2);
  EXPECT_EQ(table.view().data<float>()[5], x[5]);
  try {
    table.view().data<double>();
    ADD_FAILURE() << "float read as double";
  } catch (const nf::Exception& e) {
    EXPECT_STREQ(e.what(), "data<double>() on an nf::View of float: check dtype() first");
  }
  EXPECT_EQ(table.column(0), "");
  EXPECT_EQ(nf::Session(m).log_prob(table.view()), nf::Session(m).log_prob(nf::View(x, 2)));
}

TEST_F(Hpp, TargetsAreFunctions) {
  int asked = 0, fail_at = -1;
  struct Enough {};
  nf::Model shift(rt, R"({"event": 2, "layers": [{"type": "elementwise_affine"}]})", 1);
  nf::Trainer t(shift, {{"objective", "reverse_kl"}, {"samples", 64}, {"lr", 0.05}});
  {
    const nf::Target target(
        rt, 2, [&](const nf::View& rows, const nf::View& ctx, const nf::Out& log_density, const nf::Out& gradient) {
          EXPECT_TRUE(ctx.none());
          if (asked++ == fail_at) throw Enough();
          for (int64_t r = 0; r < rows.rows(); ++r) {
            const float a = rows.data<float>()[2 * r] - 1, b = rows.data<float>()[2 * r + 1];
            log_density.data<float>()[r] = -0.5f * (a * a + b * b);
            if (!gradient.none()) gradient.data<float>()[2 * r] = -a, gradient.data<float>()[2 * r + 1] = -b;
          }
          return asked < 900;
        });
    t.set_target(target);
  }
  EXPECT_FALSE(t.run(200));
  EXPECT_EQ(asked, 200);
  const double loss = t.step().loss;
  EXPECT_NEAR(loss, -std::log(6.283185307179586), 0.05);
  fail_at = asked;
  EXPECT_THROW(t.step(), Enough);
  fail_at = asked + 3;
  EXPECT_THROW(t.run(1000), Enough);
  const auto status_of = [](auto&& f) -> nf_status {
    try {
      f();
    } catch (const nf::Exception& e) {
      return e.status();
    }
    return NF_OK;
  };
  EXPECT_EQ(status_of([&] { t.run(10000); }), NF_ERR_CANCELLED) << "stopped by the target, not by on_step";

  const nf::Target cross(rt, "cross", 2);
  const std::vector<double> places = {0.3, -2.5, 1, 0.1, -2, 1.5};
  EXPECT_LT(cross.gradient_error(places), 1e-8);
  EXPECT_LT(cross.gradient_error(std::vector<float>(places.begin(), places.end())), 1e-2);
  const nf::Target wrong(rt, 2, [](const nf::View& x, const nf::View&, const nf::Out& value, const nf::Out& gradient) {
    for (int64_t r = 0; r < x.rows(); ++r) {
      const double* at = x.data<double>() + 2 * r;
      value.data<double>()[r] = -at[0] * at[0] / 2 - at[1];
      if (!gradient.none()) gradient.data<double>()[2 * r] = -at[0], gradient.data<double>()[2 * r + 1] = 1;
    }
    return true;
  });
  EXPECT_NEAR(wrong.gradient_error(places), 1, 1e-6) << "the sign of the second column";
  EXPECT_NEAR(cross.info().log_z, 1.9613, 1e-4);
  nf::Session s(m);
  std::vector<float> rows(2000), log_weight(1000), values(1);
  const nf_importance_info info = s.importance(cross, 1, 1000, 0, nf::Out(rows, 2), log_weight);
  EXPECT_EQ(info.samples, 1000);
  const nf::Estimate mean = nf::importance_mean(log_weight, nf::View(rows, 2));
  EXPECT_LT(std::abs(mean.mean[0]), 3);
  EXPECT_GT(mean.error[1], 0);
  cross.log_density(nf::View(rows.data(), 1, 2), values);
  nf_metropolis_info walked = NF_METROPOLIS_INFO_INIT;
  EXPECT_EQ(nf::Session::random_walk(rt, cross, 5, 3, {{"burn_in", 10}}, {}, &walked).size(), 30u);
  EXPECT_EQ(walked.steps, 15u);
  EXPECT_EQ(s.metropolis(rt, cross, 5, 3).size(), 30u);
}

}  // namespace
}  // namespace abi_test
