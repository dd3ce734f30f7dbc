/* nf_data.h - rows of numbers from files, mini-batches of them, and how unusual scores are. Rules R1 to R10: nf.h. */
#ifndef NF_DATA_H_
#define NF_DATA_H_
#include <nf/nf.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct nf_table nf_table;     /* rows of numbers read from a file                        */
typedef struct nf_batches nf_batches; /* mini-batches of rows, a pure function of the step      */

/* ---- tables ---------------------------------------------------------------------------------------------------- */
/* [any; stable 0.1] Reads a whole table: .npy of rank 1 to 4 and any real dtype, .npz (option "table.array" says which
 * array), IDX (the format of MNIST; its images have one channel), or text with one row per line; any of them may be
 * compressed with gzip, and `path` may be a pipe, which is read to its end. Of a text, the separator is found from the
 * first lines or is "table.separator" (, ; | tab, or space for any
 * blanks); "table.decimal" = "," reads decimal commas. The first line holds names if it has no number in it ("table.header"
 * = "detect"); a line that could be both is NF_ERR_FORMAT, and "present" or "absent" decide. "table.columns" selects
 * columns by index or name, "table.where" rows by the values of columns, "table.id" a column that names the rows.
 * A text that is no number is NF_ERR_FORMAT; the message names line and column. So is a missing value, NaN or infinity,
 * also in a .npy, unless "table.missing" is "drop", which leaves such rows out (and says so in the log), or "keep", which
 * reads them as they are, missing values as NaN. Other options: "table.max_file_bytes", "table.dtype" = "float32" | "float64" |
 * "uint8", which keeps bytes, such as pixels, in a quarter of the memory (ARGUMENT if the file has other numbers). "table.map"
 * = "auto" (from 1 GiB) | "on" | "off" uses the rows of a little-endian float32 or float64 .npy, or a uint8 one as such, in
 * place, so the file may exceed the memory; the view has the file's dtype, may be strided, and its values are not checked. If another program truncates the
 * file in the meantime, nf_batches_get detects it (NF_ERR_IO); any other read of the view raises SIGBUS. */
NF_API NF_MUST_CHECK nf_status nf_table_open(nf_runtime *rt, const char *path, const nf_options *options,
                                             nf_table **out, nf_error *err) NF_NOEXCEPT;
/* [any; experimental 0.2] Reads a table from `size` bytes in memory, the content of such a file; they are not needed
 * afterwards. name: what messages call it, or NULL. Options and errors: those of nf_table_open. */
NF_API NF_MUST_CHECK nf_status nf_table_parse(nf_runtime *rt, const void *bytes, size_t size, const char *name,
                                              const nf_options *options, nf_table **out, nf_error *err) NF_NOEXCEPT;
/* [any; experimental 0.2] Writes what a file holds as JSON, found out from its first lines without reading the numbers:
 * {"format": "csv" | "npy" | "npz" | "idx", "columns": N}, for arrays "dtype" ("uint8", "float32", "bool", ...), and for
 * text "separator", "header" (boolean), "names" and "numeric" (per column, whether the first lines hold numbers). The
 * file is at `path`, or with `bytes` its content is in memory and `path` only names it (NULL: not at all). Options and
 * errors: those of nf_table_open; a pipe cannot be described. */
NF_API nf_status nf_table_describe(nf_runtime *rt, const char *path, const void *bytes, size_t size,
                                   const nf_options *options, nf_write_fn write, void *user, nf_error *err) NF_NOEXCEPT;
/* [shared; experimental 0.2] Which row of the file row `index` of the table is, counted from 0 without the header: the same
 * number unless rows were left out. -1 when out of range. */
NF_API int64_t nf_table_row(const nf_table *t, int64_t index) NF_NOEXCEPT;
/* [shared; experimental 0.2] The line of a text file where row `index` of the table starts, counted from 1; 0 for other
 * files, or when out of range. */
NF_API int64_t nf_table_line(const nf_table *t, int64_t index) NF_NOEXCEPT;
/* [shared; experimental 0.2] The text in column "table.id" of row `index`; NULL without that option, or out of range. */
NF_API const char *nf_table_row_id(const nf_table *t, int64_t index) NF_NOEXCEPT;
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
 * of the columns for the header of a .csv, or NULL; nf_table_open finds them again, whatever characters they have. */
NF_API nf_status nf_table_save(const nf_view *v, const char *path, const char *const *columns,
                               nf_error *err) NF_NOEXCEPT;
/* [excl; stable 0.1] */
NF_API void nf_table_free(nf_table *t) NF_NOEXCEPT;

/* ---- scores: how unusual a row is ----------------------------------------------------------------------------------- */
/* [excl on m; experimental 0.2] Keeps quantiles of the scores of rows, usually log_prob [n] of all training rows, in note
 * "score_quantiles" of the model, from which the functions below read them, also after the model was saved and loaded.
 * Errors: ARGUMENT (no row), NUMERIC (a score is NaN or +infinity; -infinity is a score). */
NF_API nf_status nf_model_set_scores(nf_model *m, const nf_view *log_prob, nf_error *err) NF_NOEXCEPT;
/* [shared; experimental 0.2] The score below which a fraction p of these rows is, 0 <= p <= 1, interpolated between kept
 * quantiles; rows below the 0.01 quantile are rarer than all but 1 % of the training rows. Errors: ARGUMENT (p), STATE (the
 * model has no such scores, or its parameters changed since). */
NF_API nf_status nf_model_score_quantile(const nf_model *m, double p, double *score, nf_error *err) NF_NOEXCEPT;
/* [shared; experimental 0.2] The reverse: for each score [n] the fraction of those rows with a lower one, in [0, 1]. NaN for
 * NaN. Errors: as above, SHAPE. */
NF_API nf_status nf_model_score_rank(const nf_model *m, const nf_view *log_prob, const nf_out *rank,
                                     nf_error *err) NF_NOEXCEPT;

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
/* [shared; experimental 0.2] Which row of the data row `index` of the last batch is, from 0; -1 when out of range. */
NF_API int64_t nf_batches_row(const nf_batches *b, int64_t index) NF_NOEXCEPT;
/* [shared; stable 0.1] Makes a source for nf_train_run that reads `b`; using the source is [excl] on `b`. */
NF_API nf_status nf_batches_source(nf_batches *b, nf_source *out, nf_error *err) NF_NOEXCEPT;
/* [excl; stable 0.1] */
NF_API void nf_batches_free(nf_batches *b) NF_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif /* NF_DATA_H_ */
