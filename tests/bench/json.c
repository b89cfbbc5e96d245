/* SPDX-License-Identifier: MIT */
/*
 * json.c -- the same rows for programs to read.
 */
#include "tests/bench/bench.h"

static double sample_worst(const struct bench_row *row)
{
    double worst = row->len > 0 ? row->sample[0] : 0;
    for (unsigned i = 1; i < row->len; i++) {
        if (row->higher_is_better ? row->sample[i] < worst
                                  : row->sample[i] > worst) {
            worst = row->sample[i];
        }
    }
    return worst;
}

static void write_row(FILE *out, const struct bench_row *row)
{
    fprintf(out,
            "    {\"workload\": \"%s\", \"peer\": \"%s\", \"unit\": \"%s\", ",
            row->workload, row->peer, row->unit);
    if (row->curve[0] != '\0') {
        fprintf(out, "\"curve\": \"%s\", \"size\": %llu, ", row->curve,
                (unsigned long long)row->size);
    }
    fprintf(out,
            "\"higher_is_better\": %s, \"median\": %.6g, \"best\": %.6g, "
            "\"worst\": %.6g, \"cpu_s\": %.4g, \"samples\": [",
            row->higher_is_better ? "true" : "false", bench_median(row),
            bench_best(row), sample_worst(row), row->cpu_s);
    for (unsigned i = 0; i < row->len; i++) {
        fprintf(out, "%s%.6g", i > 0 ? ", " : "", row->sample[i]);
    }
    fprintf(out, "]}");
}

int bench_write_json(const char *path, const struct bench_rows *rows)
{
    FILE *out = fopen(path, "w");
    if (out == NULL) {
        return -errno;
    }
    fprintf(out, "{\n  \"ambit\": \"%s\",\n", ambit_version());
    bench_machine_json(out);
    fprintf(out,
            "  \"reps\": %u,\n  \"min_ns\": %llu,\n  \"divisor\": %u,\n"
            "  \"rows\": [\n",
            bench.reps, (unsigned long long)bench.min_ns, bench.divisor);
    for (unsigned i = 0; i < rows->len; i++) {
        write_row(out, &rows->row[i]);
        fprintf(out, "%s\n", i + 1 < rows->len ? "," : "");
    }
    fprintf(out, "  ]\n}\n");
    return fclose(out) == 0 ? 0 : -errno;
}
