/* Pins the sizes and offsets of the public structs and the numbers of the public enums on 64-bit machines: callers are
 * compiled against them, so none may ever move. New members go to the end, and get their line here. Compiled as C11. */
#include <nf/nf.h>

#define SIZE(type, size) _Static_assert(sizeof(type) == (size), "size of " #type)
#define AT(type, member, offset) _Static_assert(offsetof(type, member) == (offset), "offset of " #type "." #member)
#define NUMBER(name, value) _Static_assert((name) == (value), "number of " #name)

#if UINTPTR_MAX == 0xffffffffffffffffu
SIZE(nf_status, 4);

SIZE(nf_error, 256);
AT(nf_error, struct_size, 0);
AT(nf_error, code, 4);
AT(nf_error, os_errno, 8);
AT(nf_error, message, 12);

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

SIZE(nf_view, 88);
AT(nf_view, struct_size, 0);
AT(nf_view, dtype, 4);
AT(nf_view, ndim, 8);
AT(nf_view, flags, 12);
AT(nf_view, shape, 16);
AT(nf_view, strides, 48);
AT(nf_view, data, 80);

SIZE(nf_model_info, 56);
AT(nf_model_info, struct_size, 0);
AT(nf_model_info, dtype, 4);
AT(nf_model_info, event_size, 8);
AT(nf_model_info, context_size, 16);
AT(nf_model_info, param_count, 24);
AT(nf_model_info, tensor_count, 32);
AT(nf_model_info, layer_count, 40);
AT(nf_model_info, hash, 48);

SIZE(nf_tensor_info, 56);
AT(nf_tensor_info, struct_size, 0);
AT(nf_tensor_info, dtype, 4);
AT(nf_tensor_info, ndim, 8);
AT(nf_tensor_info, trainable, 12);
AT(nf_tensor_info, shape, 16);
AT(nf_tensor_info, name, 48);

SIZE(nf_step_info, 56);
AT(nf_step_info, struct_size, 0);
AT(nf_step_info, reserved, 4);
AT(nf_step_info, step, 8);
AT(nf_step_info, loss, 16);
AT(nf_step_info, grad_norm, 24);
AT(nf_step_info, lr, 32);
AT(nf_step_info, seconds, 40);
AT(nf_step_info, loss_error, 48);

SIZE(nf_target_info, 24);
AT(nf_target_info, struct_size, 0);
AT(nf_target_info, builtin, 4);
AT(nf_target_info, event_size, 8);
AT(nf_target_info, log_z, 16);

SIZE(nf_importance_info, 72);
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

SIZE(nf_metropolis_info, 24);
AT(nf_metropolis_info, struct_size, 0);
AT(nf_metropolis_info, reserved, 4);
AT(nf_metropolis_info, steps, 8);
AT(nf_metropolis_info, acceptance, 16);

SIZE(nf_collective, 32);
AT(nf_collective, struct_size, 0);
AT(nf_collective, rank, 4);
AT(nf_collective, world, 8);
AT(nf_collective, user, 16);
AT(nf_collective, allreduce_sum, 24);

SIZE(nf_source, 24);
AT(nf_source, struct_size, 0);
AT(nf_source, user, 8);
AT(nf_source, next, 16);
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

/* The macros expand to what the struct needs. */
int nf_layout_test(void);
int nf_layout_test(void) {
  const nf_error error = NF_ERROR_INIT;
  const nf_view view = NF_VIEW_INIT;
  const nf_model_info model = NF_MODEL_INFO_INIT;
  const nf_tensor_info tensor = NF_TENSOR_INFO_INIT;
  const nf_step_info step = NF_STEP_INFO_INIT;
  return error.struct_size == sizeof error && view.struct_size == sizeof view && view.dtype == NF_F32 &&
         model.struct_size == sizeof model && tensor.struct_size == sizeof tensor && step.struct_size == sizeof step;
}
