/* The same networks in C, float32, one core: what a careful hand gets out of the machine.
 *
 *   by_step    reads every delayed x at every step
 *   by_block   needs every delay >= BLOCK: reads BLOCK steps of the coupling at once, as
 *              contiguous runs of each source's past
 *   undelayed  a matrix product a step
 *
 * Heun with the coupling frozen over the step. Noise: 16 lanes of xoshiro128+ (Blackman & Vigna
 * 2021, ACM Trans Math Softw 47:36) and Box-Muller, both vectorised by the compiler. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LANES 16
#define BLOCK 10
#define DRAWN 64 /* steps whose noise is drawn at once */

typedef float vector16 __attribute__((vector_size(64)));
typedef struct {
    float a, w, k, sigma, dt, x0, y0;
} model;

/* ---- noise */
typedef struct {
    uint32_t s[4][LANES];
} generator;

static void seed(generator *g, uint64_t state) {
    for (int k = 0; k < 4; k++)
        for (int lane = 0; lane < LANES; lane++) { /* splitmix64 */
            uint64_t z = (state += 0x9e3779b97f4a7c15ULL);
            z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
            z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
            g->s[k][lane] = (uint32_t)(z ^ (z >> 31));
        }
}

static inline void draw(generator *g, uint32_t *out) {
    for (int lane = 0; lane < LANES; lane++) {
        uint32_t a = g->s[0][lane], b = g->s[1][lane], c = g->s[2][lane], d = g->s[3][lane];
        out[lane] = a + d;
        uint32_t shifted = b << 9;
        c ^= a;
        d ^= b;
        b ^= c;
        a ^= d;
        c ^= shifted;
        d = (d << 11) | (d >> 21);
        g->s[0][lane] = a;
        g->s[1][lane] = b;
        g->s[2][lane] = c;
        g->s[3][lane] = d;
    }
}

static void normals(generator *g, float *out, long count) { /* count: a multiple of 32 */
    uint32_t u[LANES], v[LANES];
    for (long i = 0; i < count; i += 2 * LANES) {
        draw(g, u);
        draw(g, v);
        for (int lane = 0; lane < LANES; lane++) {
            float p = ((u[lane] >> 9) + 0.5f) * 0x1p-23f;
            float angle = (v[lane] >> 9) * (0x1p-23f * 6.2831853f);
            float radius = sqrtf(-2.0f * logf(p));
            out[i + lane] = radius * cosf(angle);
            out[i + LANES + lane] = radius * sinf(angle);
        }
    }
}

/* ---- one step */
static inline void heun(const model *m, int n, float *restrict x, float *restrict y,
                        const float *restrict coupling, const float *restrict noise_x,
                        const float *restrict noise_y) {
    const float scale = m->sigma * sqrtf(m->dt), dt = m->dt, a = m->a, w = m->w;
    for (int i = 0; i < n; i++) {
        float p = scale * noise_x[i], q = scale * noise_y[i];
        float r = a - x[i] * x[i] - y[i] * y[i];
        float kx = r * x[i] - w * y[i] + coupling[i], ky = r * y[i] + w * x[i];
        float gx = x[i] + dt * kx + p, gy = y[i] + dt * ky + q;
        r = a - gx * gx - gy * gy;
        x[i] += 0.5f * dt * (kx + r * gx - w * gy + coupling[i]) + p;
        y[i] += 0.5f * dt * (ky + r * gy + w * gx) + q;
    }
}

/* ---- what all three hold */
typedef struct {
    int n, padded; /* padded: the next multiple of 32 */
    float *x, *y, *coupling, *noise;
    generator g;
} state;

static void start(state *s, const model *m, int n, uint64_t key) {
    int padded = (n + 31) / 32 * 32;
    s->n = n;
    s->padded = padded;
    s->x = malloc(sizeof(float) * padded);
    s->y = malloc(sizeof(float) * padded);
    s->coupling = calloc(padded, sizeof(float));
    s->noise = malloc(sizeof(float) * 2 * padded * DRAWN);
    for (int i = 0; i < padded; i++) {
        s->x[i] = m->x0;
        s->y[i] = m->y0;
    }
    seed(&s->g, key);
}

static void finish(state *s) {
    free(s->x);
    free(s->y);
    free(s->coupling);
    free(s->noise);
}

static inline const float *noise_of(state *s, long t) {
    if (t % DRAWN == 0) normals(&s->g, s->noise, 2L * s->padded * DRAWN);
    return s->noise + t % DRAWN * 2 * s->padded;
}

static inline void advance(state *s, const model *m, const float *coupling, long t, int every,
                           float *out) {
    const float *noise = noise_of(s, t);
    heun(m, s->n, s->x, s->y, coupling, noise, noise + s->padded);
    if ((t + 1) % every == 0)
        memcpy(out + ((t + 1) / every - 1) * s->n, s->x, sizeof(float) * s->n);
}

static int longest(const int *delay, long count) {
    int found = 0;
    for (long k = 0; k < count; k++)
        if (delay[k] > found) found = delay[k];
    return found;
}

/* ---- delays, step by step: the ring is written twice, so that reads never wrap */
void by_step(const model *m, int n, long steps, const float *weights, const int *delay, int every,
             float *out, uint64_t key) {
    state s;
    start(&s, m, n, key);
    long slots = longest(delay, (long)n * n) + 1;
    float *ring = malloc(sizeof(float) * 2 * slots * n);
    int *offset = malloc(sizeof(int) * n * n);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) offset[(long)i * n + j] = (slots - delay[(long)i * n + j]) * n + j;
    for (long k = 0; k < 2 * slots; k++) memcpy(ring + k * n, s.x, sizeof(float) * n);
    for (long t = 0; t < steps; t++) {
        const float *now = ring + t % slots * n;
        for (int i = 0; i < n; i++) {
            float sum = 0;
            const float *weight = weights + (long)i * n;
            const int *at = offset + (long)i * n;
            for (int j = 0; j < n; j++) sum += weight[j] * now[at[j]];
            s.coupling[i] = m->k * sum;
        }
        advance(&s, m, s.coupling, t, every, out);
        long slot = (t + 1) % slots;
        memcpy(ring + slot * n, s.x, sizeof(float) * n);
        memcpy(ring + (slot + slots) * n, s.x, sizeof(float) * n);
    }
    free(ring);
    free(offset);
    finish(&s);
}

/* ---- delays, block by block: a linear past for each source, moved back when it is full */
void by_block(const model *m, int n, long steps, const float *weights, const int *delay, int every,
              float *out, uint64_t key) {
    state s;
    start(&s, m, n, key);
    int kept = (longest(delay, (long)n * n) + 1 + BLOCK - 1) / BLOCK * BLOCK + BLOCK;
    int room = 4 * kept, next = kept; /* slot next - 1 of each source holds x now */
    float *past = malloc(sizeof(float) * ((long)n * room + LANES));
    float *sums = aligned_alloc(64, 64L * n), *block = malloc(sizeof(float) * BLOCK * s.padded);
    float *weight_of = malloc(sizeof(float) * n * n); /* (source, target) */
    int *delay_of = malloc(sizeof(int) * n * n);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            weight_of[(long)j * n + i] = weights[(long)i * n + j];
            delay_of[(long)j * n + i] = delay[(long)i * n + j];
        }
    for (long k = 0; k < (long)n * room + LANES; k++) past[k] = m->x0;
    for (long t = 0; t < steps; t += BLOCK) {
        if (next + BLOCK > room) {
            for (int j = 0; j < n; j++)
                memmove(past + (long)j * room, past + (long)j * room + next - kept,
                        sizeof(float) * kept);
            next = kept;
        }
        memset(sums, 0, 64L * n);
        for (int j = 0; j < n; j++) {
            const float *now = past + (long)j * room + next - 1;
            for (int i = 0; i < n; i++) {
                vector16 window;
                memcpy(&window, now - delay_of[(long)j * n + i], sizeof window);
                ((vector16 *)sums)[i] += weight_of[(long)j * n + i] * window;
            }
        }
        for (int k = 0; k < BLOCK; k++)
            for (int i = 0; i < n; i++) block[(long)k * s.padded + i] = m->k * sums[16L * i + k];
        for (int k = 0; k < BLOCK; k++) {
            advance(&s, m, block + (long)k * s.padded, t + k, every, out);
            for (int j = 0; j < n; j++) past[(long)j * room + next + k] = s.x[j];
        }
        next += BLOCK;
    }
    free(past);
    free(sums);
    free(block);
    free(weight_of);
    free(delay_of);
    finish(&s);
}

/* ---- no delays */
void undelayed(const model *m, int n, long steps, const float *weights, const int *delay, int every,
               float *out, uint64_t key) {
    state s;
    (void)delay;
    start(&s, m, n, key);
    float *column = calloc((long)n * s.padded, sizeof(float)); /* (source, target) */
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) column[(long)j * s.padded + i] = m->k * weights[(long)i * n + j];
    for (long t = 0; t < steps; t++) {
        memset(s.coupling, 0, sizeof(float) * s.padded);
        for (int j = 0; j < n; j++) {
            float x = s.x[j];
            const float *weight = column + (long)j * s.padded;
            for (int i = 0; i < s.padded; i++) s.coupling[i] += weight[i] * x;
        }
        advance(&s, m, s.coupling, t, every, out);
    }
    free(column);
    finish(&s);
}
