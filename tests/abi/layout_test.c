/* Pins the sizes and offsets of the public structs and the numbers of the public enums on 64-bit machines: callers are
 * compiled against them, so none may ever move. New members go to the end, and get their line here. Compiled as C11. */
#include <nf/nf.h>
#include <nf/nf_infer.h>

#define SIZE(type, size) _Static_assert(sizeof(type) == (size), "size of " #type)
#define AT(type, member, offset) _Static_assert(offsetof(type, member) == (offset), "offset of " #type "." #member)
#define NUMBER(name, value) _Static_assert((name) == (value), "number of " #name)

SIZE(nf_status, 4);
SIZE(nf_dtype, 4);
SIZE(nf_direction, 4);

#if UINTPTR_MAX == 0xffffffffffffffffu
SIZE(nf_error, 512);
AT(nf_error, struct_size, 0);
AT(nf_error, code, 4);
AT(nf_error, os_errno, 8);
AT(nf_error, layer, 12);
AT(nf_error, row, 16);
AT(nf_error, message, 24);

SIZE(nf_allocator, 32);
AT(nf_allocator, struct_size, 0);
AT(nf_allocator, user, 8);
AT(nf_allocator, alloc, 16);
AT(nf_allocator, free, 24);

SIZE(nf_executor, 24);
AT(nf_executor, struct_size, 0);
AT(nf_executor, concurrency, 4);
AT(nf_executor, user, 8);
AT(nf_executor, parallel_for, 16);

SIZE(nf_view, 152);
AT(nf_view, struct_size, 0);
AT(nf_view, dtype, 4);
AT(nf_view, ndim, 8);
AT(nf_view, flags, 12);
AT(nf_view, data, 16);
AT(nf_view, shape, 24);
AT(nf_view, strides, 88);

SIZE(nf_out, 152);
AT(nf_out, struct_size, 0);
AT(nf_out, dtype, 4);
AT(nf_out, ndim, 8);
AT(nf_out, flags, 12);
AT(nf_out, data, 16);
AT(nf_out, shape, 24);
AT(nf_out, strides, 88);

SIZE(nf_batch, 48);
AT(nf_batch, struct_size, 0);
AT(nf_batch, reserved, 4);
AT(nf_batch, x, 8);
AT(nf_batch, ctx, 16);
AT(nf_batch, weight, 24);
AT(nf_batch, scores, 32);
AT(nf_batch, part, 40);

SIZE(nf_model_info, 200);
AT(nf_model_info, struct_size, 0);
AT(nf_model_info, dtype, 4);
AT(nf_model_info, event_size, 8);
AT(nf_model_info, latent_size, 16);
AT(nf_model_info, context_size, 24);
AT(nf_model_info, param_count, 32);
AT(nf_model_info, tensor_count, 40);
AT(nf_model_info, layer_count, 48);
AT(nf_model_info, log_prob, 56);
AT(nf_model_info, has_layers, 60);
AT(nf_model_info, event_ndim, 64);
AT(nf_model_info, latent_ndim, 68);
AT(nf_model_info, event, 72);
AT(nf_model_info, latent, 136);

SIZE(nf_layer_info, 72);
AT(nf_layer_info, struct_size, 0);
AT(nf_layer_info, inverted, 4);
AT(nf_layer_info, repetition, 8);
AT(nf_layer_info, columns, 16);
AT(nf_layer_info, first_tensor, 24);
AT(nf_layer_info, tensor_count, 32);
AT(nf_layer_info, type, 40);
AT(nf_layer_info, path, 48);
AT(nf_layer_info, name, 56);
AT(nf_layer_info, where, 64);

SIZE(nf_tensor_info, 96);
AT(nf_tensor_info, struct_size, 0);
AT(nf_tensor_info, dtype, 4);
AT(nf_tensor_info, ndim, 8);
AT(nf_tensor_info, trainable, 12);
AT(nf_tensor_info, masked, 16);
AT(nf_tensor_info, reserved, 20);
AT(nf_tensor_info, name, 24);
AT(nf_tensor_info, shape, 32);

SIZE(nf_fit_info, 192);
AT(nf_fit_info, struct_size, 0);
AT(nf_fit_info, validated, 4);
AT(nf_fit_info, improved, 8);
AT(nf_fit_info, stop, 12);
AT(nf_fit_info, step, 16);
AT(nf_fit_info, planned, 24);
AT(nf_fit_info, best_step, 32);
AT(nf_fit_info, steps_per_epoch, 40);
AT(nf_fit_info, train_rows, 48);
AT(nf_fit_info, valid_rows, 56);
AT(nf_fit_info, loss, 64);
AT(nf_fit_info, train, 72);
AT(nf_fit_info, valid, 80);
AT(nf_fit_info, valid_error, 88);
AT(nf_fit_info, best, 96);
AT(nf_fit_info, lr, 104);
AT(nf_fit_info, grad_norm, 112);
AT(nf_fit_info, seconds, 120);
AT(nf_fit_info, bad_rows, 128);
AT(nf_fit_info, bad_row, 136);
AT(nf_fit_info, valid_rest, 144);
AT(nf_fit_info, batch_rows, 152);
AT(nf_fit_info, merged_rows, 160);
AT(nf_fit_info, valid_every, 168);
AT(nf_fit_info, diverged_at, 176);
AT(nf_fit_info, went_back, 184);
AT(nf_fit_info, point, 188);

SIZE(nf_sampling, 40);
AT(nf_sampling, struct_size, 0);
AT(nf_sampling, reserved, 4);
AT(nf_sampling, seed, 8);
AT(nf_sampling, first_index, 16);
AT(nf_sampling, repeat, 24);
AT(nf_sampling, temperature, 32);

SIZE(nf_step_info, 80);
AT(nf_step_info, struct_size, 0);
AT(nf_step_info, reserved, 4);
AT(nf_step_info, step, 8);
AT(nf_step_info, loss, 16);
AT(nf_step_info, loss_error, 24);
AT(nf_step_info, grad_norm, 32);
AT(nf_step_info, lr, 40);
AT(nf_step_info, seconds, 48);
AT(nf_step_info, diverged, 56);
AT(nf_step_info, went_back, 60);
AT(nf_step_info, drift, 64);
AT(nf_step_info, drift_layer, 72);
AT(nf_step_info, kept_inputs, 76);

SIZE(nf_collective, 32);
AT(nf_collective, struct_size, 0);
AT(nf_collective, rank, 4);
AT(nf_collective, world, 8);
AT(nf_collective, user, 16);
AT(nf_collective, allreduce_sum, 24);

SIZE(nf_cotangents, 32);
AT(nf_cotangents, struct_size, 0);
AT(nf_cotangents, direction, 4);
AT(nf_cotangents, out, 8);
AT(nf_cotangents, log_det, 16);
AT(nf_cotangents, log_prob, 24);

SIZE(nf_source, 24);
AT(nf_source, struct_size, 0);
AT(nf_source, user, 8);
AT(nf_source, next, 16);

SIZE(nf_target_info, 24);
AT(nf_target_info, struct_size, 0);
AT(nf_target_info, builtin, 4);
AT(nf_target_info, event_size, 8);
AT(nf_target_info, log_z, 16);

SIZE(nf_importance_info, 112);
AT(nf_importance_info, struct_size, 0);
AT(nf_importance_info, reserved, 4);
AT(nf_importance_info, samples, 8);
AT(nf_importance_info, log_z, 16);
AT(nf_importance_info, log_z_error, 24);
AT(nf_importance_info, ess, 32);
AT(nf_importance_info, ess_fraction, 40);
AT(nf_importance_info, reverse_kl, 48);
AT(nf_importance_info, reverse_kl_error, 56);
AT(nf_importance_info, largest_share, 64);
AT(nf_importance_info, pareto_k, 72);
AT(nf_importance_info, pareto_k_limit, 80);
AT(nf_importance_info, smoothed_log_z, 88);
AT(nf_importance_info, smoothed_log_z_error, 96);
AT(nf_importance_info, smoothed_ess, 104);

SIZE(nf_coverage_info, 80);
AT(nf_coverage_info, struct_size, 0);
AT(nf_coverage_info, reserved, 4);
AT(nf_coverage_info, samples, 8);
AT(nf_coverage_info, target_samples, 16);
AT(nf_coverage_info, log_z, 24);
AT(nf_coverage_info, log_z_error, 32);
AT(nf_coverage_info, deviation, 40);
AT(nf_coverage_info, forward_kl, 48);
AT(nf_coverage_info, forward_kl_error, 56);
AT(nf_coverage_info, outside, 64);
AT(nf_coverage_info, outside_p, 72);

SIZE(nf_score_info, 64);
AT(nf_score_info, struct_size, 0);
AT(nf_score_info, reserved, 4);
AT(nf_score_info, rows, 8);
AT(nf_score_info, outside, 16);
AT(nf_score_info, first_outside, 24);
AT(nf_score_info, mean, 32);
AT(nf_score_info, error, 40);
AT(nf_score_info, inside_mean, 48);
AT(nf_score_info, inside_error, 56);

SIZE(nf_metropolis_info, 24);
AT(nf_metropolis_info, struct_size, 0);
AT(nf_metropolis_info, reserved, 4);
AT(nf_metropolis_info, steps, 8);
AT(nf_metropolis_info, acceptance, 16);
#endif

NUMBER(NF_OK, 0);
NUMBER(NF_ERR_ARGUMENT, 1);
NUMBER(NF_ERR_STATE, 2);
NUMBER(NF_ERR_SHAPE, 3);
NUMBER(NF_ERR_SPEC, 4);
NUMBER(NF_ERR_NOMEM, 10);
NUMBER(NF_ERR_IO, 20);
NUMBER(NF_ERR_FORMAT, 21);
NUMBER(NF_ERR_CHECKSUM, 22);
NUMBER(NF_ERR_VERSION, 23);
NUMBER(NF_ERR_NUMERIC, 30);
NUMBER(NF_ERR_NOT_INVERTED, 31);
NUMBER(NF_ERR_CANCELLED, 40);
NUMBER(NF_ERR_CALLBACK, 41);
NUMBER(NF_ERR_UNSUPPORTED, 50);
NUMBER(NF_ERR_INTERNAL, 60);
NUMBER(NF_F32, 1);
NUMBER(NF_F64, 2);
NUMBER(NF_STRIDED, 1);
NUMBER(NF_MAX_RANK, 8);
NUMBER(NF_EXACT, 1);
NUMBER(NF_BOUND, 2);
NUMBER(NF_STOP_FINISHED, 1);
NUMBER(NF_STOP_PATIENCE, 2);
NUMBER(NF_STOP_REQUESTED, 3);
NUMBER(NF_FORWARD, 0);
NUMBER(NF_INVERSE, 1);

/* The macros expand to what the struct needs. */
int nf_layout_test(void);
int nf_layout_test(void) {
  const nf_error error = NF_ERROR_INIT;
  const nf_allocator allocator = NF_ALLOCATOR_INIT;
  const nf_executor executor = NF_EXECUTOR_INIT;
  const nf_view view = NF_VIEW_INIT;
  const nf_out out = NF_OUT_INIT;
  const nf_batch batch = NF_BATCH_INIT;
  const nf_model_info model_info = NF_MODEL_INFO_INIT;
  const nf_layer_info layer_info = NF_LAYER_INFO_INIT;
  const nf_tensor_info tensor_info = NF_TENSOR_INFO_INIT;
  const nf_fit_info fit_info = NF_FIT_INFO_INIT;
  const nf_sampling sampling = NF_SAMPLING_INIT;
  const nf_step_info step_info = NF_STEP_INFO_INIT;
  const nf_collective collective = NF_COLLECTIVE_INIT;
  const nf_cotangents cotangents = NF_COTANGENTS_INIT;
  const nf_source source = NF_SOURCE_INIT;
  const nf_target_info target_info = NF_TARGET_INFO_INIT;
  const nf_importance_info importance_info = NF_IMPORTANCE_INFO_INIT;
  const nf_score_info score_info = NF_SCORE_INFO_INIT;
  const nf_coverage_info coverage_info = NF_COVERAGE_INFO_INIT;
  const nf_metropolis_info metropolis_info = NF_METROPOLIS_INFO_INIT;
  return error.row == -1 && error.layer == -1 && view.dtype == NF_F32 && out.dtype == NF_F32 &&
         error.struct_size == sizeof error && allocator.struct_size == sizeof allocator &&
         executor.struct_size == sizeof executor && view.struct_size == sizeof view && out.struct_size == sizeof out &&
         batch.struct_size == sizeof batch && model_info.struct_size == sizeof model_info &&
         layer_info.struct_size == sizeof layer_info && tensor_info.struct_size == sizeof tensor_info &&
         fit_info.struct_size == sizeof fit_info && sampling.struct_size == sizeof sampling &&
         step_info.struct_size == sizeof step_info && collective.struct_size == sizeof collective &&
         cotangents.struct_size == sizeof cotangents && source.struct_size == sizeof source &&
         target_info.struct_size == sizeof target_info && importance_info.struct_size == sizeof importance_info &&
         score_info.struct_size == sizeof score_info && coverage_info.struct_size == sizeof coverage_info &&
         metropolis_info.struct_size == sizeof metropolis_info;
}
