/* nf_data.h - rows of numbers from files, and mini-batches of them. The rules R1 to R10 are those of nf.h. */
#ifndef NF_DATA_H_
#define NF_DATA_H_
#include <nf/nf.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct nf_table nf_table;     /* rows of numbers read from a .npy or .csv file          */
typedef struct nf_batches nf_batches; /* mini-batches of rows, a pure function of the step      */

/* ---- tables ---------------------------------------------------------------------------------------------------- */
/* [any; stable 0.1] Reads a whole .npy (1-D or 2-D, any real dtype) or .csv/.tsv file. A missing or non-numeric value is
 * NF_ERR_FORMAT; the message names line and column. Options "table.dtype", ".columns", ".header", ".separator",
 * ".max_file_bytes". Option "table.map" = "auto" (from 1 GiB) | "on" | "off" uses the rows of a little-endian float32 or
 * float64 .npy in place, so the file may exceed the memory; the view has the file's dtype and may be strided. If another
 * program truncates the file in the meantime, nf_batches_get detects it (NF_ERR_IO); any other read of the view raises
 * SIGBUS. */
NF_API NF_MUST_CHECK nf_status nf_table_open(nf_runtime *rt, const char *path, const nf_options *options,
                                             nf_table **out, nf_error *err) NF_NOEXCEPT;
/* [shared; stable 0.2] 1 if the rows are used in place ("table.map"), otherwise 0. */
NF_API int32_t nf_table_is_mapped(const nf_table *t) NF_NOEXCEPT;
/* [shared; stable 0.1] The whole table [rows, columns], borrowed. */
NF_API nf_status nf_table_view(const nf_table *t, nf_view *out, nf_error *err) NF_NOEXCEPT;
/* [shared; experimental 0.2] The extents of the array in the file: [n, height, width, channels] of a .npy of rank 4,
 * [rows, columns] of a CSV file; with option "table.columns" those of the view. Returns their number, at most NF_MAX_RANK,
 * and writes them to `shape` unless it is NULL. 0 if t is NULL. */
NF_API int32_t nf_table_shape(const nf_table *t, int64_t *shape) NF_NOEXCEPT;
/* [shared; stable 0.1] Name of column `index`: "" if the file has no header, NULL when out of range. */
NF_API const char *nf_table_column(const nf_table *t, int64_t index) NF_NOEXCEPT;
/* [any; stable 0.1] Writes a view as .npy (rank 1 to 4) or .csv (rank 1 or 2), chosen by the path's extension, atomically. columns: names
 * of the columns for the header of a .csv, or NULL. */
NF_API nf_status nf_table_save(const nf_view *v, const char *path, const char *const *columns,
                               nf_error *err) NF_NOEXCEPT;
/* [excl; stable 0.1] */
NF_API void nf_table_free(nf_table *t) NF_NOEXCEPT;

/* ---- mini-batches ---------------------------------------------------------------------------------------------- */
/* [any; stable 0.2] Creates mini-batches of rows that the caller holds and must keep alive longer; every stream of `rows`
 * that is given is in the batches. Options "batches.batch", ".seed", ".order" = "shuffle" (epochs) | "replacement" |
 * "sequential" | "blocks" (epochs that read runs of "batches.block" consecutive rows, shuffled within windows of 16 runs, for
 * mapped tables). Batch k is a pure function of the options and k, so a resumed run sees the same data.
 * "batches.part_begin" and ".part_end" restrict the batches to a fraction of the blocks, in an order drawn from
 * ".part_seed"; disjoint ranges share no row. Views of mapped tables keep the tables alive, and pages already read are
 * released. */
NF_API NF_MUST_CHECK nf_status nf_batches_create(nf_runtime *rt, const nf_batch *rows, const nf_options *options,
                                                 nf_batches **out, nf_error *err) NF_NOEXCEPT;
/* [shared; stable 0.1] */
NF_API uint64_t nf_batches_per_epoch(const nf_batches *b) NF_NOEXCEPT;
/* [excl; stable 0.2] Fills in batch number `step`, borrowed until the next call. */
NF_API nf_status nf_batches_get(nf_batches *b, uint64_t step, nf_batch *batch, nf_error *err) NF_NOEXCEPT;
/* [shared; stable 0.1] Makes a source for nf_train_run that reads `b`; using the source is [excl] on `b`. */
NF_API nf_status nf_batches_source(nf_batches *b, nf_source *out, nf_error *err) NF_NOEXCEPT;
/* [excl; stable 0.1] */
NF_API void nf_batches_free(nf_batches *b) NF_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif /* NF_DATA_H_ */
