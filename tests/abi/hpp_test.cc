// nf.hpp: exceptions carry status and message, handles move, data go in and out as vectors, callbacks may throw.
// hpp_views_test.cc has views, hpp_results_test.cc what is different without exceptions.
#include <nf/nf.hpp>
#include <type_traits>

#include "tests/abi/abi_support.h"

namespace abi_test {
namespace {

static_assert(std::is_move_constructible_v<nf::Model> && !std::is_copy_constructible_v<nf::Model>);
static_assert(std::is_move_assignable_v<nf::Session> && !std::is_copy_assignable_v<nf::Session>);

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
    EXPECT_EQ(e.row(), -1);
    EXPECT_EQ(e.layer(), -1);
  }
  EXPECT_THROW(nf::Model::load(rt, "no/such/file"), nf::Exception);
  EXPECT_THROW((nf::Options{{"trainer.lr", "fast"}}), nf::Exception);
  EXPECT_THROW(nf::View(x, 7), nf::Exception) << "300 * 2 numbers are no rows of 7";
  EXPECT_THROW(nf::Session(m).log_prob(nf::View(x, 3)), nf::Exception);
}

TEST_F(Hpp, SameNumbersAsTheCCalls) {
  nf::Session s(m);
  const std::vector<float> ll = s.log_prob(nf::View(x, 2));
  std::vector<float> by_c(300);
  const nf_view in = nf_rows_f32(x.data(), 300, 2);
  const nf_out out = nf_out_vec_f32(by_c.data(), 300);
  nf_error e = NF_ERROR_INIT;
  ASSERT_EQ(nf_log_prob(s.get(), &in, nullptr, &out, &e), NF_OK) << e.message;
  EXPECT_TRUE(same_bits(ll, by_c));
  const std::vector<double> wide(x.begin(), x.end()), wide_ll = s.log_prob<double>(nf::View(wide, 2));
  EXPECT_EQ(static_cast<float>(wide_ll[17]), ll[17]);
  EXPECT_EQ(s.log_prob_row(&wide[2 * 17]), wide_ll[17]);
  EXPECT_TRUE(same_bits(nf::score(m, nf::View(x, 2)), ll));
  EXPECT_TRUE(same_bits(nf::draw(m, 10, 3), s.sample(10, 3)));

  std::vector<float> log_det(300), back_det(300);
  const std::vector<float> z = s.forward(nf::View(x, 2), log_det), back = s.inverse(nf::View(z, 2), back_det);
  for (size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(back[i], x[i], 1e-4);
  for (size_t i = 0; i < log_det.size(); ++i) EXPECT_NEAR(back_det[i], -log_det[i], 1e-4);

  std::vector<float> sample_ll(10);
  const std::vector<float> samples = s.sample(10, 3, {}, sample_ll), again = s.log_prob(nf::View(samples, 2));
  for (size_t i = 0; i < again.size(); ++i) EXPECT_NEAR(again[i], sample_ll[i], 1e-4);
  EXPECT_EQ(s.bytes(), nf_session_bytes(s.get()));
}

TEST_F(Hpp, TracesEveryLayer) {
  constexpr int64_t n = 300;
  nf::Model deep(rt, R"({"event": [2], "layers": [{"type": "shuffle"}, {"repeat": 2, "invert": true, "layers": [
    {"type": "affine_coupling", "hidden": [8]}, {"type": "reverse"}]}]})",
                 1);
  std::vector<std::string> layers;
  for (const nf::Layer& l : deep.layers())
    layers.push_back(l.path + ' ' + l.type + ' ' + std::to_string(l.repetition) + (l.inverted ? " inverted" : ""));
  EXPECT_EQ(layers, (std::vector<std::string>{"spec.layers[0] shuffle 0", "spec.layers[1].layers[1] reverse 0 inverted",
                                              "spec.layers[1].layers[0] affine_coupling 0 inverted",
                                              "spec.layers[1].layers[1] reverse 1 inverted",
                                              "spec.layers[1].layers[0] affine_coupling 1 inverted"}));

  nf::Session s(deep);
  std::vector<float> z_det(n), layer_det(layers.size() * n);
  const std::vector<float> there =
      s.trace(nf::View(x, 2), nf::Direction::forward, {}, nf::Out(layer_det, static_cast<int64_t>(n)));
  const std::vector<float> z = s.forward(nf::View(x, 2), z_det);
  ASSERT_EQ(there.size(), x.size() * (layers.size() + 1));
  for (size_t r = 0; r < n; ++r) {
    float sum = 0;
    for (size_t k = 0; k < layers.size(); ++k) sum += layer_det[k * n + r];
    ASSERT_NEAR(sum, z_det[r], 1e-5) << "row " << r;
  }
  const auto state = [&](const std::vector<float>& all, size_t k) {
    const auto first = all.begin() + static_cast<long>(k * x.size());
    return std::vector<float>(first, first + static_cast<long>(x.size()));
  };
  EXPECT_TRUE(same_bits(state(there, 0), x));
  EXPECT_TRUE(same_bits(state(there, layers.size()), z));
  EXPECT_FALSE(same_bits(state(there, 2), state(there, 3)));
  std::vector<float> swapped = state(there, 1);
  for (size_t r = 0; r < n; ++r) std::swap(swapped[2 * r], swapped[2 * r + 1]);
  EXPECT_TRUE(same_bits(state(there, 2), swapped)) << "layer 1 is reverse";
  const std::vector<float> back = s.trace(nf::View(z, 2), nf::Direction::inverse);
  EXPECT_TRUE(same_bits(state(back, 0), z));
  EXPECT_TRUE(same_bits(state(back, layers.size()), s.inverse(nf::View(z, 2))));
  for (size_t k = 0; k <= layers.size(); ++k)
    for (size_t i = 0; i < x.size(); ++i)
      ASSERT_NEAR(state(back, layers.size() - k)[i], state(there, k)[i], 1e-4) << "layer " << k;
  EXPECT_THROW(s.trace(nf::View(x, 3)), nf::Exception);
}

TEST_F(Hpp, InitializesFromData) {
  nf::Model fitted(rt, R"({"event": [2], "layers": [{"type": "standardize"}]})", 1);
  fitted.init_from_data(nf::View(x, 2));
  const std::vector<float> z = nf::Session(fitted).forward(nf::View(x, 2));
  double sum = 0, squares = 0;
  for (size_t i = 0; i < z.size(); i += 2) {
    sum += z[i];
    squares += z[i] * z[i];
  }
  EXPECT_NEAR(sum / 300, 0, 1e-5);
  EXPECT_NEAR(squares / 299, 1, 1e-5);
  EXPECT_THROW(
      nf::Model(rt, R"({"event": [2], "layers": [{"type": "actnorm"}]})", 1).init_from_data(nf::View(x.data(), 1, 2)),
      nf::Exception);
}

TEST_F(Hpp, AveragesAndMappedTables) {
  const TempDir dir;
  nf::Trainer t(m, {{"trainer.ema_decay", 0.5}});
  t.step(nf::View(x, 2));
  t.step(nf::View(x, 2));
  const uint64_t last = m.hash();
  t.use_average(true);
  EXPECT_NE(m.hash(), last);
  t.use_average(false);
  EXPECT_EQ(m.hash(), last);
  const std::string path = dir / "x.npy";
  nf::save_table(nf::View(x, 2), path);
  EXPECT_TRUE(nf::Table(rt, path, {{"table.map", "on"}}).is_mapped());
  EXPECT_FALSE(nf::Table(rt, path).is_mapped());
}

TEST_F(Hpp, TrainSaveLoad) {
  const TempDir dir;
  nf::Trainer t(m, {{"trainer.lr", 1e-3}, {"trainer.optimizer", "adam"}});
  nf::Batches b(rt, nf::View(x, 2), {{"batches.batch", 100}});
  EXPECT_EQ(b.per_epoch(), 3u);
  EXPECT_EQ(b.at(5).x.rows(), 100);
  EXPECT_TRUE(b.at(0).ctx.none());
  int calls = 0;
  EXPECT_EQ(t.run(b, 5, [&](const nf::StepInfo& s) { return ++calls, s.step <= 5; }), nf::RunEnd::finished);
  EXPECT_EQ(calls, 5);
  EXPECT_EQ(t.step_count(), 5u);
  EXPECT_EQ(t.run(b, 100, [](const nf::StepInfo& s) { return s.step < 7; }), nf::RunEnd::stopped);
  EXPECT_EQ(t.step_count(), 7u);
  EXPECT_THROW(t.run(b, 100, [](const nf::StepInfo&) -> bool { throw std::out_of_range("mine"); }), std::out_of_range);
  const nf::StepInfo last = t.step(nf::View(x, 2));
  EXPECT_EQ(last.step, t.step_count());
  t.save(dir / "c.safetensors");
  t.restore(dir / "c.safetensors");

  m.set_note("who", "me");
  const std::vector<unsigned char> bytes = m.to_bytes();
  nf::Model loaded = nf::Model::from_bytes(rt, bytes.data(), bytes.size());
  EXPECT_EQ(loaded.hash(), m.hash());
  EXPECT_EQ(loaded.note("who"), "me");
  EXPECT_EQ(loaded.note_keys(), std::vector<std::string>{"who"});
  EXPECT_EQ(loaded.spec(), m.spec());
  loaded = nf::Model::load(rt, dir / "c.safetensors");
  EXPECT_EQ(loaded.hash(), m.hash());
}

// A source is a function; checkpoints go through memory; other data begin anew.
TEST_F(Hpp, SourcesAndCheckpointsInMemory) {
  nf::Trainer t(m, {{"trainer.lr", 1e-2}});
  const auto halves = [&](uint64_t step, nf::Batch& batch) {
    batch.x = nf::View(x, 2).slice(step % 2 ? 150 : 0, 150);
    return step < 6;
  };
  EXPECT_EQ(t.run(halves, 0), nf::RunEnd::finished);
  EXPECT_EQ(t.step_count(), 6u);
  EXPECT_THROW(t.run([](uint64_t, nf::Batch&) -> bool { throw std::out_of_range("mine"); }, 100), std::out_of_range);
  const std::vector<unsigned char> checkpoint = t.to_bytes();
  size_t written = 0;
  t.save_to([&](const void*, size_t n) { return written += n, true; });
  EXPECT_EQ(written, checkpoint.size());
  EXPECT_THROW(t.save_to([](const void*, size_t) { return false; }), nf::Exception);
  const nf::Batch all(nf::View(x, 2));
  const double before = t.evaluate(all).loss;
  t.step(all);
  const uint64_t went_on = m.hash(), generation = m.generation();
  t.restore(checkpoint.data(), checkpoint.size());
  EXPECT_GT(m.generation(), generation);
  EXPECT_EQ(t.evaluate(all).loss, before);
  EXPECT_EQ(t.step(all).loss, before);
  EXPECT_EQ(m.hash(), went_on);
  t.set_lr(5e-3);
  EXPECT_EQ(t.step(all).lr, 5e-3);
  EXPECT_THROW(t.set_lr("nobody", 1), nf::Exception);
  EXPECT_NE(t.options().find("\"trainer.lr\":0.005"), std::string::npos) << t.options();
  t.restart(/*keep_moments=*/false);
  EXPECT_EQ(t.step_count(), 0u);
}

// The cotangent of log_prob that nll sends: the same step, to the bit.
TEST_F(Hpp, LossesOfTheHost) {
  nf::Model own = m.clone();
  EXPECT_EQ(own.hash(), m.hash());
  nf::Trainer by_library(m), by_host(own);
  const nf::Batch all(nf::View(x, 2));
  by_library.step(all);
  const std::vector<float> cotangent(300, -1.f / 300);
  nf::Cotangents c;
  c.log_prob = cotangent;
  by_host.accumulate(all, c);
  by_host.discard();
  EXPECT_THROW(by_host.apply(0), nf::Exception) << "nothing was added";
  by_host.accumulate(all, c);
  EXPECT_EQ(by_host.apply(1.5).loss, 1.5);
  EXPECT_EQ(own.hash(), m.hash());
}

TEST_F(Hpp, Gradients) {
  nf::Model wide(rt, R"({"event": 2, "context": 1, "dtype": "float64", "layers": [{"type": "affine_coupling"}]})", 1);
  nf::Session s(wide);
  const std::vector<double> at = {0.5, -1, 2, 0.25}, context = {0.3, -0.4}, cot = {1, -1, 0.5, 2}, cot_det = {1, 2};
  const nf::View rows(at, 2), ctx(context, 1);
  const nf::LogProbGrad<double> g = s.log_prob_grad<double>(rows, ctx);
  EXPECT_EQ(g.log_prob, s.log_prob<double>(rows, ctx));
  for (size_t i = 0; i < at.size(); ++i) {
    std::vector<double> up = at, down = at;
    up[i] += 1e-5, down[i] -= 1e-5;
    const double slope =
        (s.log_prob<double>(nf::View(up, 2), ctx)[i / 2] - s.log_prob<double>(nf::View(down, 2), ctx)[i / 2]) / 2e-5;
    EXPECT_NEAR(g.dx[i], slope, 1e-6) << i;
  }
  EXPECT_EQ(g.dctx.size(), 2u);
  const std::vector<double> tangent = {0.1, 0.2, -0.3, 0.4};
  for (const nf::Direction d : {nf::Direction::forward, nf::Direction::inverse}) {
    const nf::Pullback<double> back = s.vjp<double>(d, rows, nf::View(cot, 2), cot_det, ctx);
    const nf::Pushforward<double> push = s.jvp<double>(d, rows, nf::View(tangent, 2), {}, ctx);
    EXPECT_EQ(back.to, push.to);
    double a = 0, b = 0;
    for (size_t i = 0; i < at.size(); ++i) a += back.d_from[i] * tangent[i], b += cot[i] * push.tan_to[i];
    for (size_t r = 0; r < 2; ++r) b += cot_det[r] * push.tan_log_det[r];
    EXPECT_NEAR(a, b, 1e-12);
  }
  const std::vector<double> u = {0.5, 0.5, 0.25, 0.75}, z = s.base_quantile<double>(nf::View(u, 2), ctx);
  EXPECT_EQ(z[0], 0);
  EXPECT_NEAR(z[2], -z[3], 1e-15);
  EXPECT_NEAR(s.base_log_prob<double>(nf::View(z, 2), ctx)[0], -std::log(6.283185307179586), 1e-12);
  const std::vector<double> latents = s.base_sample<double>(4, {7, 0, 2}, ctx),
                            x4 = s.sample<double>(4, {7, 0, 2}, ctx);
  const std::vector<double> each = {0.3, 0.3, -0.4, -0.4};
  EXPECT_EQ(s.inverse<double>(nf::View(latents, 2), {}, nf::View(each, 1)), x4);
}

TEST_F(Hpp, TensorsAndCopies) {
  nf::Model made(rt, R"({"event": 3, "layers": [{"type": "masked_autoregressive", "hidden": [8]}]})", 1);
  bool masked = false;
  for (const nf::Tensor& t : made.tensors()) {
    const std::vector<float> values = made.get_tensor(t);
    EXPECT_EQ(static_cast<int64_t>(values.size()), t.size()) << t.name;
    if (!t.masked) continue;
    masked = true;
    const std::vector<float> mask = made.get_mask(t);
    for (size_t i = 0; i < mask.size(); ++i) EXPECT_TRUE(mask[i] == 1 || (mask[i] == 0 && values[i] == 0)) << t.name;
  }
  EXPECT_TRUE(masked);
  const nf::Model other = made.clone(rt);
  const nf::Tensor first = made.tensors()[0];
  const std::vector<float> ones(static_cast<size_t>(first.size()), 1);
  made.set_tensor(first.name, nf::View(ones, first.shape.back()));
  EXPECT_NE(made.hash(), other.hash());
  made.copy_from(other);
  EXPECT_EQ(made.hash(), other.hash());
  EXPECT_THROW(made.copy_from(m), nf::Exception);
  made.set_note("a", "b");
  EXPECT_TRUE(made.has_note("a"));
  made.remove_note("a");
  EXPECT_FALSE(made.has_note("a"));
}

TEST_F(Hpp, OptionsReadBack) {
  nf::Options o{{"trainer.lr", 1e-3}, {"trainer.optimizer", "adam"}, {"batches.seed", int64_t{9007199254740993}}};
  const std::string json = o.json();
  EXPECT_NE(json.find("9007199254740993"), std::string::npos) << json;
  EXPECT_NE(json.find("\"adam\""), std::string::npos) << json;
  EXPECT_EQ(nf::Options().json(), "{}");
  EXPECT_THROW(nf::Session(m, {{"trainer.lr", 1e-3}}), nf::Exception) << "a key of another scope";
  EXPECT_NE(nf::describe_options().find("\"trainer.lr\""), std::string::npos);
}

// The essay of nf.hpp.
TEST_F(Hpp, Flow) {
  const TempDir dir;
  nf::Flow flow(kSpec);
  const std::vector<float> before = flow.log_prob(x);
  const nf::FitInfo info = flow.fit(x, {{"trainer.max_steps", 40}, {"trainer.lr", 1e-2}});
  EXPECT_EQ(info.train_rows + info.valid_rows, 300);
  double gain = 0;
  const std::vector<float> after = flow.log_prob(x);
  for (size_t i = 0; i < after.size(); ++i) gain += after[i] - before[i];
  EXPECT_GT(gain / 300, 0.1);
  // The host's own parts.
  nf::Batch parts(nf::View(x, 2));
  std::vector<float> part(300);
  for (size_t i = 0; i < 150; ++i) part[i] = 1;
  parts.part = nf::View(part);
  EXPECT_EQ(flow.fit(parts, {{"fit.steps", 2}}).valid_rows, 150);
  int calls = 0;
  EXPECT_EQ(flow.fit(x, {}, [&](const nf::FitInfo& i) { return ++calls, i.step < 3; }).stop, NF_STOP_REQUESTED);
  EXPECT_THROW(flow.fit(x, {}, [](const nf::FitInfo&) -> bool { throw std::out_of_range("mine"); }), std::out_of_range);
  flow.save(dir / "f.safetensors");
  const nf::Flow same = nf::Flow::load(dir / "f.safetensors");
  EXPECT_TRUE(same_bits(same.log_prob(x), flow.log_prob(nf::View(x, 2))));
  EXPECT_TRUE(same_bits(same.sample(50, 7), flow.sample(50, 7)));
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
    EXPECT_STREQ(e.what(), "data<double>() on numbers of type float: check dtype() first");
  }
  EXPECT_EQ(table.column(0), "");
  nf::save_table(table.view(), dir / "x.csv", {"a", "b"});
  EXPECT_EQ(nf::Table(dir / "x.csv").column(1), "b");
  EXPECT_THROW(nf::save_table(table.view(), dir / "x.csv", {"a"}), nf::Exception);
  EXPECT_EQ(nf::Session(m).log_prob(table.view()), nf::Session(m).log_prob(nf::View(x, 2)));
}

TEST_F(Hpp, TargetsAreFunctions) {
  int asked = 0, fail_at = -1;
  struct Enough {};
  nf::Model shift(rt, R"({"event": 2, "layers": [{"type": "elementwise_affine"}]})", 1);
  nf::Trainer t(shift, {{"trainer.objective", "reverse_kl"}, {"trainer.samples", 64}, {"trainer.lr", 0.05}});
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
  EXPECT_EQ(t.run(200), nf::RunEnd::finished);
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
  const nf::ImportanceInfo info = s.importance(cross, 1000, /*seed=*/1, nf::Out(rows, 2), log_weight);
  EXPECT_EQ(info.samples, 1000);
  const nf::Estimate mean = nf::importance_mean(log_weight, nf::View(rows, 2));
  EXPECT_LT(std::abs(mean.mean[0]), 3);
  EXPECT_GT(mean.error[1], 0);
  cross.log_density(nf::View(rows.data(), 1, 2), values);
  nf::MetropolisInfo walked = NF_METROPOLIS_INFO_INIT;
  EXPECT_EQ(cross.random_walk(5, 3, {{"metropolis.burn_in", 10}}, {}, &walked).size(), 30u);
  EXPECT_EQ(walked.steps, 15u);
  EXPECT_EQ(s.metropolis(cross, 5, 3).size(), 30u);
}

}  // namespace
}  // namespace abi_test
