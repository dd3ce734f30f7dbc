// Calls every member of nf.hpp, so that headers_test.py can compile all of it with strict warnings, with exceptions and
// without. It is not linked or run.
#include <array>
#include <nf/nf.hpp>

void options(nf::Options& o);
void models(nf::Model& m, nf::Model& other, nf::Runtime& rt);
void sessions(nf::Session& s, nf::Target& t, nf::Runtime& rt);
void trainers(nf::Trainer& t, nf::Batches& b, const nf::Target& target);
void targets(nf::Target& t, nf::Runtime& rt);
void rest(nf::Model& m, nf::Flow& f, nf::Table& table, nf::Batches& b, nf::Runtime& rt);

namespace {
std::vector<float> rows(20);
std::array<double, 6> six{};
float raw[4] = {};
const nf::View x(rows, 2), wide(six), part(raw, 2, 2), strided(raw, {2, 2}, {1, 2}), deep(raw, {1, 2, 2});
const nf::Out out(rows, 2), all(six);
constexpr auto kForward = nf::Direction::forward;
}  // namespace

void options(nf::Options& o) {
  (void)o.set("a", 1).set("b", 1.5).set("c", "d").set("e", std::string("f")).set("g", uint64_t{1} << 63).json();
  o.parse("h", "1");
  const nf::Options list{{"a", true}, {"b", size_t{3}}};
  (void)nf::describe_options().size(), (void)nf::describe_parts(), (void)nf::describe_targets();
  (void)nf::version(), (void)nf::version_string(), (void)nf::status_name(o.error().status());
  (void)list.get();
}

void models(nf::Model& m, nf::Model& other, nf::Runtime& rt) {
  (void)nf::Runtime::create(), (void)nf::Model::create("{}", 1), (void)nf::Model::create(rt, "{}", 1);
  (void)nf::Model::load("x"), (void)nf::Model::load(rt, "x", {{"load.verify", 1}});
  (void)nf::Model::from_bytes(raw, 4), (void)nf::Model::from_bytes(rt, raw, 4);
  (void)m.save("x"), (void)m.to_bytes(), (void)m.save_to([](const void*, size_t) { return true; });
  (void)m.clone(), (void)m.clone(rt), (void)m.copy_from(other), (void)m.generation(), (void)m.hash();
  (void)m.spec(), (void)m.describe(), (void)m.info(), (void)m.layers(), (void)m.tensors(), (void)m.set_self_test(3);
  const nf::Tensor t;
  (void)m.get_tensor<double>(t), (void)m.get_mask(t), (void)m.set_tensor(t, rows);
  (void)m.get_tensor("x", out), (void)m.get_mask("x", out), (void)m.set_tensor("x", x), (void)m.init_from_data(x);
  (void)m.set_note("a", "b"), (void)m.remove_note("a"), (void)m.has_note("a"), (void)m.note("a"), (void)m.note_keys();
}

void sessions(nf::Session& s, nf::Target& t, nf::Runtime& rt) {
  (void)s.log_prob(x), (void)s.log_prob<double>(x, wide), (void)s.log_prob_into(out, x);
  (void)s.log_prob_row(six.data()), (void)s.bytes();
  (void)s.forward(x), (void)s.forward_into(out, all, x), (void)s.inverse(x, all), (void)s.inverse_into(out, {}, x);
  (void)s.trace(x), (void)s.trace_into(out, {}, x, nf::Direction::inverse);
  (void)s.sample(10, 5), (void)s.sample<double>(10, {5, 3}), (void)s.sample_into(out, {5, 3, 2, 0.7});
  nf::Samples<double> range = s.samples<double>(3, 1, wide);
  for (const nf::Row<double> row : range) (void)row[0], (void)nf::View(row), (void)row.size();
  (void)range.error(), (void)s.samples(3), (void)s.event_size();
  (void)s.log_prob_grad(x), (void)s.log_prob_grad_into({}, out, {}, x);
  (void)s.vjp<double>(kForward, x, wide), (void)s.vjp_into({out, {}, out, {}}, kForward, x, wide);
  (void)s.jvp(kForward, x, wide), (void)s.jvp_into({out, {}, out, {}}, kForward, x, wide);
  (void)s.base_log_prob(x), (void)s.base_log_prob_into(out, x), (void)s.base_sample(3, 1);
  (void)s.base_sample_into(out), (void)s.base_quantile(x), (void)s.base_quantile_into(out, x);
  (void)s.posterior_importance(x, 100, 1, out), (void)s.importance(t, 100, 1, out), (void)s.metropolis(t, 1, 2),
      (void)s.metropolis<double>(rt, t, 1, 2);
}

void targets(nf::Target& t, nf::Runtime& rt) {
  const auto f = [](const nf::View&, const nf::View&, const nf::Out&, const nf::Out&) { return true; };
  (void)nf::Target::create("u1", 2), (void)nf::Target::create(rt, "u1", 2);
  (void)nf::Target::create(2, f), (void)nf::Target::create(rt, 2, f);
  (void)t.info(), (void)t.log_density(x, out), (void)t.gradient_error(rows);
  (void)t.gradient_error(std::vector<double>(4)), (void)t.random_walk<double>(1, 2, {{"metropolis.seed", 1}});
  (void)t.random_walk(rt, 1, 2), (void)nf::importance_mean(x, wide);
  (void)nf::importance_smooth(x), (void)nf::importance_coverage(x, x);
  (void)nf::Target::create(2, f, nf::Precision::f64), (void)nf::Target::create(rt, 2, f, nf::Precision::f64);
}

void trainers(nf::Trainer& t, nf::Batches& b, const nf::Target& target) {
  (void)t.options(), (void)t.set_target(target), (void)t.step(), (void)t.step(x), (void)t.step({x, wide});
  (void)t.evaluate(x), (void)t.run(10), (void)t.run(b, 10, [](const nf::StepInfo&) { return true; });
  (void)t.run([&](uint64_t, nf::Batch& batch) { return batch.x = x, true; }, 10);
  (void)t.accumulate(x, {kForward, x, {}, {}}), (void)t.apply(1), (void)t.discard(), (void)t.observe(1);
  (void)t.set_lr(1e-3), (void)t.set_lr("g", 1e-3), (void)t.restart(true), (void)t.save("x"), (void)t.to_bytes();
  (void)t.save_to([](const void*, size_t) { return true; }), (void)t.restore("x"), (void)t.restore(raw, 4);
  (void)t.step_count(), (void)t.use_average(true), (void)t.bytes();
}

void rest(nf::Model& m, nf::Flow& f, nf::Table& table, nf::Batches& b, nf::Runtime& rt) {
  (void)nf::Session::create(m), (void)nf::Trainer::create(m), (void)nf::Batches::create(x), (void)nf::Table::open("x");
  (void)nf::fit(m, x), (void)nf::fit(
                           m, x, {}, [](const nf::FitInfo&) { return true; }, wide);
  (void)nf::score(m, x), (void)nf::draw(m, 10, 1), (void)nf::save_table(x, "a.csv", {"a", "b"});
  (void)table.view(), (void)table.shape(), (void)table.is_mapped(), (void)table.column(0);
  (void)table.row(0), (void)table.line(0), (void)table.row_id(0), (void)nf::Table::parse(rt, "1", "x");
  (void)nf::Table::describe(rt, "x"), (void)nf::Table::describe_bytes(rt, "1", "x");
  (void)nf::set_scores(m, x), (void)nf::score_quantile(m, 0.5), (void)nf::score_rank(m, x);
  (void)b.per_epoch(), (void)b.at(1), (void)b.row(0), (void)b.source();
  (void)nf::Flow::create("{}"), (void)nf::Flow::load("x"), (void)f.save("x"), (void)f.fit(rows), (void)f.fit(x);
  (void)f.fit(nf::Batch(x, wide)), (void)f.log_prob(rows), (void)f.sample<double>(10, 1), (void)f.model();
  (void)x.to_vector<double>(), (void)x.slice(1, 2).as_rows(2).at(0, 1), (void)deep.contiguous(),
      (void)strided.stride(1);
  (void)part.data<float>(), (void)out.slice(0, 1).data<float>();
}
