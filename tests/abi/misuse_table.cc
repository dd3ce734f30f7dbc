// The rows of the table: every function of nf.h that returns a status, with arguments that make it succeed.
#include "tests/abi/misuse_table.h"

#include <fstream>

namespace abi_test {
namespace {

int32_t swallow(void*, const void*, size_t) { return 0; }
int32_t go_on(void*, const nf_step_info*) { return 0; }
int32_t same(void*, void*, size_t, int32_t) { return 0; }
void quiet(void*, int32_t, const char*) {}
int32_t flat(void*, const nf_view*, const nf_view*, const nf_out*, const nf_out*) { return 0; }
// The streams of a batch one by one, so that each is misused in turn.
nf_status step(nf_trainer* t, const nf_view* x, const nf_view* ctx, const nf_view* weight, nf_step_info* info,
               nf_error* e) {
  return nf_train_step(t, Batch(x, ctx, weight), info, e);
}
nf_status make_batches(nf_runtime* rt, const nf_view* x, const nf_view* ctx, const nf_view* weight, const nf_options* o,
                       nf_batches** out, nf_error* e) {
  return nf_batches_create(rt, Batch(x, ctx, weight), o, out, e);
}
nf_status accumulate(nf_trainer* t, const nf_view* x, const nf_view* ctx, const nf_view* out, const nf_view* log_det,
                     const nf_view* log_prob, nf_error* e) {
  nf_cotangents c = NF_COTANGENTS_INIT;
  c.direction = NF_INVERSE, c.out = out, c.log_det = log_det, c.log_prob = log_prob;
  return nf_trainer_accumulate(t, Batch(x, ctx), &c, e);
}
// With a gradient that waits.
nf_status apply_one(nf_trainer* t, double loss, nf_step_info* info, nf_error* e) {
  Tensor x({4, 2}, 0.5f), ctx({4, 1}, 0.25f), cot({4}, -0.25f);
  if (t) {
    EXPECT_EQ(accumulate(t, x.view(), ctx.view(), nullptr, nullptr, cot.view(), nullptr), NF_OK);
  }
  return nf_trainer_apply(t, loss, info, e);
}
nf_status fit_rows(nf_model* m, const nf_view* x, const nf_view* ctx, const nf_view* weight, const nf_options* o,
                   nf_error* e) {
  return nf_fit(m, Batch(x, ctx, weight), nullptr, o, nullptr, nullptr, nullptr, e);
}
constexpr char kCsv[] = "a,b\n1,2\n";
int32_t keep_on(void*, const nf_fit_info*) { return 0; }
void serial(void*, uint32_t n, void (*body)(void*, uint32_t), void* context) {
  for (uint32_t i = 0; i < n; ++i) body(context, i);
}
void* take(void*, size_t size, size_t align) { return std::aligned_alloc(align, (size + align - 1) / align * align); }
void drop(void*, void* p, size_t, size_t) { std::free(p); }

}  // namespace

World::World(Runtime runtime) : rt(std::move(runtime)) {
  m = model(rt.get(), kContextSpec);
  states = Tensor({abi_test::info(m.get()).layer_count + 1, 4, 2});
  dets = Tensor({abi_test::info(m.get()).layer_count, 4});
  batch.x = batch_x.view(), batch.ctx = ctx.view();
  trained = model(rt.get(), kContextSpec);
  s = session(m.get());
  autoencoder = model(rt.get(), R"({"kind": "vae", "event": 2, "context": 1, "latent": 2, "likelihood": "gaussian",
      "posterior": {"layers": [{"type": "planar"}]}})");
  latents = session(autoencoder.get());
  t = trainer(trained.get(), options({{"trainer.ema_decay", "0.9"}}).get());
  file = bytes_of(m.get());
  std::ofstream(model_path, std::ios::binary)
      .write(reinterpret_cast<const char*>(file.data()), static_cast<long>(file.size()));
  std::ofstream(csv) << "a,b\n1,2\n3,4\n";
  Err e;
  EXPECT_TRUE(ok(nf_train_step(t.get(), Batch(x.view(), ctx.view()), nullptr, &e), e));
  EXPECT_TRUE(ok(nf_trainer_save(t.get(), checkpoint.c_str(), &e), e));
  nf_table* tb = nullptr;
  EXPECT_TRUE(ok(nf_table_open(rt.get(), csv.c_str(), nullptr, &tb, &e), e));
  table.reset(tb);
  EXPECT_TRUE(ok(nf_model_set_scores(m.get(), weight.view(), &e), e));
  std::ifstream saved_file(checkpoint, std::ios::binary);
  saved.assign(std::istreambuf_iterator<char>(saved_file), {});
  hosted = model(rt.get(), kContextSpec);
  host = trainer(hosted.get());
  whole_run = model(rt.get(), kContextSpec);
  cotangents.log_prob = weight.view();
  nf_batches* batches = nullptr;
  EXPECT_TRUE(ok(nf_batches_create(rt.get(), Batch(batch_x.view(), ctx.view(), weight.view()),
                                   options({{"batches.batch", "2"}}).get(), &batches, &e),
                 e));
  b.reset(batches);
  source.struct_size = sizeof(source);
  EXPECT_TRUE(ok(nf_batches_source(b.get(), &source, &e), e));
  fitted = model(rt.get(), kSpec);
  fitter = trainer(fitted.get(), options({{"trainer.objective", "reverse_kl"}}).get());
  target = abi_test::target(rt.get());
  EXPECT_TRUE(ok(nf_trainer_set_target(fitter.get(), target.get(), &e), e));
  allocator = {sizeof(allocator), nullptr, take, drop};
  executor = {sizeof(executor), 2, nullptr, serial};
  collective.struct_size = sizeof(collective);  // field by field: its padding stays zero, and bytes are compared
  collective.world = 1, collective.allreduce_sum = same;
  // The last tensor; any name and shape works if the view has the tensor's shape.
  EXPECT_TRUE(ok(nf_model_tensor(m.get(), abi_test::info(m.get()).tensor_count - 1, &tensor, &e), e));
  tensor_name = tensor.name ? tensor.name : "";
  bias = Tensor(std::vector<int64_t>(tensor.shape, tensor.shape + tensor.ndim));
  EXPECT_TRUE(ok(nf_model_get_tensor(m.get(), tensor_name.c_str(), bias.view(), &e), e));
}

std::vector<Row> World::table_of_rows() {
  constexpr nf_status kRequired = NF_ERR_ARGUMENT;
  auto made_by = [&](auto free) { return Slot{"out", Kind::out_handle, bits_of(&made), kRequired, 0, free}; };
  const Slot runtime = plain("runtime", rt.get(), kNullable), bag = plain("options", o.get()),
             any_bag = plain("options", none.get(), kNullable);
  const Slot the_model = plain("model", m.get()), the_session = plain("session", s.get()),
             the_trainer = plain("trainer", t.get());
  const Slot path = plain("path", model_path.c_str()), limits = plain("options", none.get(), kNullable);
  const Slot in_x = view("x", Kind::in_view, x), in_ctx = view("ctx", Kind::in_view, ctx),
             in_z = view("z", Kind::in_view, x);
  const Slot log_det = view("log_det", Kind::out_view, rows, kNullable);
  const Slot weights = view("weight", Kind::in_view, weight, kNullable);
  const Slot user = plain("user", static_cast<void*>(nullptr), kNullable);
  const auto model_free = release<nf_model_free, nf_model>;
  return {
      row("nf_options_create", nf_options_create, {made_by(release<nf_options_free, nf_options>)}),
      row("nf_options_set_i64", nf_options_set_i64, {bag, plain("key", "batches.batch"), number("value", 16)}),
      row("nf_options_set_f64", nf_options_set_f64, {bag, plain("key", "trainer.lr"), real("value", 1e-3)}),
      row("nf_options_set_str", nf_options_set_str, {bag, plain("key", "batches.order"), plain("value", "shuffle")}),
      row("nf_options_set", nf_options_set, {bag, plain("key", "trainer.lr"), plain("value", "1e-3")}),
      row("nf_runtime_create_v", nf_runtime_create_v,
          {number("header_version", NF_VERSION), any_bag, record("allocator", Kind::in_struct, &allocator, kNullable),
           record("executor", Kind::in_struct, &executor, kNullable), plain("log", quiet, kNullable), user,
           made_by(release<nf_runtime_free, nf_runtime>)}),
      row("nf_model_create", nf_model_create,
          {runtime, plain("spec_json", kSpec), number("spec_len", sizeof(kSpec) - 1), number("seed", 1),
           made_by(model_free)}),
      row("nf_model_load", nf_model_load, {runtime, path, limits, made_by(model_free)}),
      row("nf_model_load_memory", nf_model_load_memory,
          {runtime, plain("bytes", file.data()), number("n", file.size()), limits, made_by(model_free)}),
      row("nf_model_save", nf_model_save, {the_model, path}),
      row("nf_model_save_stream", nf_model_save_stream, {the_model, plain("write", swallow), user}),
      row("nf_model_describe", nf_model_describe, {the_model, plain("write", swallow), user}),
      row("nf_model_get_info", nf_model_get_info, {the_model, record("info", Kind::out_struct, &info)}),
      row("nf_model_clone", nf_model_clone, {the_model, runtime, made_by(model_free)}),
      row("nf_model_copy", nf_model_copy, {plain("to", trained.get()), plain("from", m.get())}),
      row("nf_model_layer", nf_model_layer, {the_model, number("index", 0), record("info", Kind::out_struct, &layer)}),
      row("nf_options_json", nf_options_json, {bag, plain("write", swallow), user}),
      row("nf_trainer_options", nf_trainer_options, {the_trainer, plain("write", swallow), user}),
      row("nf_score", nf_score, {the_model, in_x, in_ctx, view("log_prob", Kind::out_view, rows)}),
      row("nf_draw", nf_draw, {the_model, number("seed", 1), in_ctx, view("out", Kind::out_view, z)}),
      row("nf_log_prob_row", nf_log_prob_row,
          {the_session, plain("x", one_row), plain("ctx", one_row), plain("log_prob", one_row)}),
      row("nf_model_tensor", nf_model_tensor,
          {the_model, number("index", 0), record("info", Kind::out_struct, &tensor)}),
      row("nf_model_get_tensor", nf_model_get_tensor,
          {the_model, plain("name", tensor_name.c_str()), view("out", Kind::out_view, bias)}),
      row("nf_model_get_mask", nf_model_get_mask,
          {the_model, plain("name", tensor_name.c_str()), view("out", Kind::out_view, bias)}),
      row("nf_model_set_tensor", nf_model_set_tensor,
          {the_model, plain("name", tensor_name.c_str()), view("value", Kind::in_view, bias)}),
      row("nf_model_init_from_data", nf_model_init_from_data, {the_model, in_x, in_ctx}),
      row("nf_model_set_note", nf_model_set_note, {the_model, plain("key", "who"), plain("value", "me", kNullable)}),
      row("nf_session_create", nf_session_create, {the_model, any_bag, made_by(release<nf_session_free, nf_session>)}),
      row("nf_log_prob", nf_log_prob, {the_session, in_x, in_ctx, view("log_prob", Kind::out_view, rows)}),
      row("nf_forward", nf_forward, {the_session, in_x, in_ctx, view("z", Kind::out_view, z), log_det}),
      row("nf_inverse", nf_inverse, {the_session, in_z, in_ctx, view("x", Kind::out_view, z), log_det}),
      row("nf_log_prob_grad", nf_log_prob_grad,
          {the_session, in_x, in_ctx, view("log_prob", Kind::out_view, rows, kNullable),
           view("dx", Kind::out_view, z, kNullable), view("dctx", Kind::out_view, gradient_ctx, kNullable)}),
      row("nf_vjp", nf_vjp,
          {the_session, number("direction", NF_INVERSE), view("from", Kind::in_view, x), in_ctx,
           view("cot_to", Kind::in_view, x, kNullable), view("cot_log_det", Kind::in_view, weight, kNullable),
           view("to", Kind::out_view, z, kNullable), log_det, view("d_from", Kind::out_view, gradient, kNullable),
           view("d_ctx", Kind::out_view, gradient_ctx, kNullable)}),
      row("nf_jvp", nf_jvp,
          {the_session, number("direction", NF_FORWARD), view("from", Kind::in_view, x), in_ctx,
           view("tan_from", Kind::in_view, x, kNullable), view("tan_ctx", Kind::in_view, ctx, kNullable),
           view("to", Kind::out_view, z, kNullable), log_det, view("tan_to", Kind::out_view, gradient, kNullable),
           view("tan_log_det", Kind::out_view, log_weights, kNullable)}),
      row("nf_trace", nf_trace,
          {the_session, number("direction", NF_INVERSE), view("from", Kind::in_view, x), in_ctx,
           view("out", Kind::out_view, states), view("log_det", Kind::out_view, dets, kNullable)}),
      row("nf_sample", nf_sample,
          {the_session, record("how", Kind::in_struct, &sampling, kNullable), in_ctx, view("out", Kind::out_view, z),
           view("log_prob", Kind::out_view, rows, kNullable)}),
      row("nf_base_log_prob", nf_base_log_prob,
          {the_session, view("z", Kind::in_view, x), in_ctx, view("log_prob", Kind::out_view, rows)}),
      row("nf_base_sample", nf_base_sample,
          {the_session, record("how", Kind::in_struct, &sampling, kNullable), in_ctx, view("z", Kind::out_view, z)}),
      row("nf_base_quantile", nf_base_quantile,
          {the_session, view("u", Kind::in_view, x), in_ctx, view("z", Kind::out_view, z)}),
      row("nf_encode", nf_encode,
          {plain("session", latents.get()), view("x", Kind::in_view, x), in_ctx,
           view("mean", Kind::out_view, z, kNullable), view("log_var", Kind::out_view, values, kNullable),
           view("z", Kind::out_view, gradient, kNullable), view("log_q", Kind::out_view, rows, kNullable)}),
      row("nf_posterior_trace", nf_posterior_trace,
          {plain("session", latents.get()), view("x", Kind::in_view, x), in_ctx, view("out", Kind::out_view, z_states),
           view("log_det", Kind::out_view, z_dets, kNullable)}),
      row("nf_decode", nf_decode,
          {plain("session", latents.get()), view("z", Kind::in_view, x), in_ctx, view("x", Kind::out_view, z)}),
      row("nf_trainer_create", nf_trainer_create,
          {the_model, any_bag, record("collective", Kind::in_struct, &collective, kNullable),
           made_by(release<nf_trainer_free, nf_trainer>)}),
      row("nf_train_step", nf_train_step,
          {the_trainer, record("batch", Kind::in_struct, &batch, kUnspecified),
           record("info", Kind::out_struct, &this->step, kNullable)}),
      row("nf_train_step", abi_test::step,
          {the_trainer, in_x, in_ctx, weights, record("info", Kind::out_struct, &this->step, kNullable)}),
      // The trainer has one step behind it, so this is done at once.
      row("nf_train_run", nf_train_run,
          {the_trainer, record("source", Kind::in_struct, &source), number("max_steps", 1),
           plain("on_step", go_on, kNullable), user}),
      row("nf_trainer_set_target", nf_trainer_set_target,
          {plain("trainer", fitter.get()), plain("target", target.get())}),
      row("nf_target_create", nf_target_create,
          {runtime, plain("spec", "banana"), number("spec_len", 6), number("event_size", 2),
           made_by(release<nf_target_free, nf_target>)}),
      row("nf_target_create_callback", nf_target_create_callback,
          {runtime, number("event_size", 2), plain("fn", flat), user, made_by(release<nf_target_free, nf_target>)}),
      row("nf_target_create_callback_f64", nf_target_create_callback_f64,
          {runtime, number("event_size", 2), plain("fn", flat), user, made_by(release<nf_target_free, nf_target>)}),
      row("nf_target_get_info", nf_target_get_info,
          {plain("target", target.get()), record("info", Kind::out_struct, &target_info)}),
      row("nf_target_log_density", nf_target_log_density,
          {plain("target", target.get()), in_x, view("ctx", Kind::in_view, ctx, kNullable, true),
           view("log_density", Kind::out_view, rows), view("gradient", Kind::out_view, gradient, kNullable)}),
      row("nf_importance", nf_importance,
          {the_session, plain("target", target.get()), number("seed", 1), number("first_index", 0), number("n", 4),
           view("ctx", Kind::in_view, one_context), view("x", Kind::out_view, z, kNullable),
           view("log_weight", Kind::out_view, rows, kNullable), record("info", Kind::out_struct, &importance)}),
      row("nf_posterior_importance", nf_posterior_importance,
          {plain("session", latents.get()), view("x", Kind::in_view, single), view("ctx", Kind::in_view, one_context),
           number("seed", 1), number("first_index", 0), number("n", 4), view("z", Kind::out_view, z, kNullable),
           view("log_weight", Kind::out_view, rows, kNullable), record("info", Kind::out_struct, &importance)}),
      row("nf_importance_mean", nf_importance_mean,
          {view("log_weight", Kind::in_view, log_weights), view("values", Kind::in_view, values),
           view("mean", Kind::out_view, means), view("error", Kind::out_view, errors, kNullable)}),
      row("nf_score_mean", nf_score_mean,
          {view("log_prob", Kind::in_view, log_weights), view("weight", Kind::in_view, weight, kNullable),
           record("info", Kind::out_struct, &score_info)}),
      row("nf_importance_smooth", nf_importance_smooth,
          {view("log_weight", Kind::in_view, log_weights, kRequired, true),
           view("smoothed", Kind::out_view, rows, kNullable), plain("pareto_k", one_row, kNullable)}),
      row("nf_importance_coverage", nf_importance_coverage,
          {view("log_weight", Kind::in_view, log_weights, kRequired, true),
           view("target_log_weight", Kind::in_view, log_weights, kRequired, true),
           record("info", Kind::out_struct, &coverage)}),
      row("nf_metropolis", nf_metropolis,
          {runtime, plain("target", target.get()), plain("proposal", s.get(), kUnspecified), any_bag,
           view("start", Kind::in_view, starts, kNullable), view("ctx", Kind::in_view, one_context),
           view("out", Kind::out_view, chains, kRequired, true),
           record("info", Kind::out_struct, &metropolis, kNullable)}),
      row("nf_model_set_self_test", nf_model_set_self_test, {the_model, number("rows", 0)}),
      row("nf_trainer_evaluate", nf_trainer_evaluate,
          {the_trainer, record("batch", Kind::in_struct, &batch, kUnspecified), plain("loss", one_row),
           plain("loss_error", one_row + 1, kNullable)}),
      row("nf_trainer_accumulate", nf_trainer_accumulate,
          {plain("trainer", host.get()), record("batch", Kind::in_struct, &batch),
           record("cotangents", Kind::in_struct, &cotangents)}),
      row("nf_trainer_accumulate", accumulate,
          {plain("trainer", host.get()), in_x, in_ctx, view("cotangents.out", Kind::in_view, x, kNullable),
           view("cotangents.log_det", Kind::in_view, weight, kNullable),
           view("cotangents.log_prob", Kind::in_view, weight, kNullable)}),
      row("nf_trainer_apply", apply_one,
          {plain("trainer", host.get()), real("loss", 1), record("info", Kind::out_struct, &this->step, kNullable)}),
      row("nf_trainer_discard", nf_trainer_discard, {plain("trainer", host.get())}),
      row("nf_trainer_set_lr", nf_trainer_set_lr, {the_trainer, plain("group", "", kNullable), real("lr", 1e-3)}),
      row("nf_trainer_restart", nf_trainer_restart, {plain("trainer", host.get()), number("keep_moments", 1)}),
      row("nf_trainer_save_stream", nf_trainer_save_stream, {the_trainer, plain("write", swallow), user}),
      row("nf_trainer_restore_memory", nf_trainer_restore_memory,
          {the_trainer, plain("bytes", saved.data()), number("n", saved.size())}),
      row("nf_fit", nf_fit,
          {plain("model", whole_run.get()), record("data", Kind::in_struct, &batch),
           record("valid", Kind::in_struct, &batch, kNullable), plain("options", short_run.get(), kNullable),
           plain("on_progress", keep_on, kNullable), user, record("info", Kind::out_struct, &fit_info, kNullable)}),
      row("nf_fit", fit_rows,
          {plain("model", whole_run.get()), in_x, in_ctx, weights, plain("options", short_run.get(), kNullable)}),
      row("nf_trainer_observe", nf_trainer_observe, {the_trainer, number("validation_loss", 1)}),
      row("nf_trainer_use_average", nf_trainer_use_average, {the_trainer, number("on", 0)}),
      row("nf_trainer_save", nf_trainer_save, {the_trainer, plain("path", checkpoint.c_str())}),
      row("nf_trainer_restore", nf_trainer_restore, {the_trainer, plain("path", checkpoint.c_str())}),
      row("nf_table_open", nf_table_open,
          {runtime, plain("path", csv.c_str()), any_bag, made_by(release<nf_table_free, nf_table>)}),
      row("nf_table_parse", nf_table_parse,
          {runtime, plain("bytes", kCsv), number("size", sizeof kCsv - 1), plain("name", "rows", kNullable), any_bag,
           made_by(release<nf_table_free, nf_table>)}),
      row("nf_table_describe", nf_table_describe,
          {runtime, plain("path", csv.c_str()), plain("bytes", static_cast<void*>(nullptr), kNullable),
           number("size", 0), any_bag, plain("write", swallow), user}),
      row("nf_model_set_scores", nf_model_set_scores,
          {the_model, view("log_prob", Kind::in_view, weight, kRequired, true)}),
      row("nf_model_score_quantile", nf_model_score_quantile, {the_model, real("p", 0.5), plain("score", &score)}),
      row("nf_model_score_rank", nf_model_score_rank,
          {the_model, view("log_prob", Kind::in_view, weight, kRequired, true), view("rank", Kind::out_view, rows)}),
      row("nf_table_view", nf_table_view, {plain("table", table.get()), record("out", Kind::filled_view, &filled)}),
      row("nf_table_save", nf_table_save,
          {view("view", Kind::in_view, x, kRequired, true), plain("path", csv.c_str()),
           plain("columns", column_names, kNullable)}),
      row("nf_batches_create", nf_batches_create,
          {runtime, record("rows", Kind::in_struct, &batch), any_bag, made_by(release<nf_batches_free, nf_batches>)}),
      row("nf_batches_create", make_batches,
          {runtime, view("x", Kind::in_view, x, kRequired, true), view("ctx", Kind::in_view, ctx, kNullable, true),
           weights, any_bag, made_by(release<nf_batches_free, nf_batches>)}),
      row("nf_batches_get", nf_batches_get,
          {plain("batches", b.get()), number("step", 0), record("batch", Kind::out_struct, &given)}),
      row("nf_batches_source", nf_batches_source,
          {plain("batches", b.get()), record("out", Kind::out_struct, &source)}),
  };
}

}  // namespace abi_test
