// Tsit5 with one thread a trajectory, written by hand, and the program around it: nvcc for a GPU, g++ for one core.
//
// A model is a struct with STATES, PARAMETERS, OUTPUTS, a constructor from its parameters, start(), rates() and
// outputs(). A course is a list of legs (length, infusion, bolus, whether to record its end); time runs from a leg's
// begin, so that float32 loses nothing on long courses.
#pragma once

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#ifdef __CUDACC__
#define ANYWHERE __host__ __device__ __forceinline__
#else
#define ANYWHERE inline
#endif

#ifndef REAL
#define REAL double
#endif
using Real = REAL;

struct Leg {
  double length, infusion, bolus, record;
};

struct Tolerance {
  Real relative, absolute;
  int fixed_steps;  // 0: adaptive
};

constexpr int MOST_STEPS = 1 << 16;  // in one leg

// --- one step ---------------------------------------------------------------------------------------------

// Tsitouras 2011: seven stages, the last of which is the first of the next step; k[0] is given.
template <class Model>
ANYWHERE void tsit5(const Model& model, Real infusion, const Real* y, Real h, Real (*k)[Model::STATES], Real* next) {
  constexpr int N = Model::STATES;
  Real z[N];
#define STAGE(into, target, sum)             \
  _Pragma("unroll") for (int i = 0; i < N; ++i) target[i] = y[i] + h * (sum); \
  model.rates(target, infusion, k[into]);
  STAGE(1, z, Real(0.161) * k[0][i])
  STAGE(2, z, Real(-0.008480655492356989) * k[0][i] + Real(0.335480655492357) * k[1][i])
  STAGE(3, z,
        Real(2.8971530571054935) * k[0][i] + Real(-6.359448489975075) * k[1][i] + Real(4.3622954328695815) * k[2][i])
  STAGE(4, z,
        Real(5.325864828439257) * k[0][i] + Real(-11.748883564062828) * k[1][i] + Real(7.4955393428898365) * k[2][i] +
            Real(-0.09249506636175525) * k[3][i])
  STAGE(5, z,
        Real(5.86145544294642) * k[0][i] + Real(-12.92096931784711) * k[1][i] + Real(8.159367898576159) * k[2][i] +
            Real(-0.071584973281401) * k[3][i] + Real(-0.028269050394068383) * k[4][i])
  STAGE(6, next,
        Real(0.09646076681806523) * k[0][i] + Real(0.01) * k[1][i] + Real(0.4798896504144996) * k[2][i] +
            Real(1.379008574103742) * k[3][i] + Real(-3.290069515436081) * k[4][i] + Real(2.324710524099774) * k[5][i])
#undef STAGE
}

// The mean square of the embedded error over the tolerance; 1 is just good enough.
template <class Model>
ANYWHERE float squared_error(const Real* y, const Real* next, Real h, const Real (*k)[Model::STATES], Tolerance to) {
  Real sum = 0;
#pragma unroll
  for (int i = 0; i < Model::STATES; ++i) {
    Real difference = Real(-0.00178001105222577714) * k[0][i] + Real(-0.0008164344596567469) * k[1][i] +
                      Real(0.007880878010261995) * k[2][i] + Real(-0.1447110071732629) * k[3][i] +
                      Real(0.5823571654525552) * k[4][i] + Real(-0.45808210592918697) * k[5][i] +
                      Real(1.0 / 66) * k[6][i];
    Real scaled = h * difference / (to.absolute + to.relative * fmax(fabs(y[i]), fabs(next[i])));
    sum += scaled * scaled;
  }
  return float(sum / Model::STATES);
}

// --- one leg ----------------------------------------------------------------------------------------------

// Moves y over the leg; false if the step cap or the smallest step is reached. `step` is kept from leg to leg.
template <class Model>
ANYWHERE bool adaptive(const Model& model, Real infusion, Real* y, Real length, Real& step, Tolerance to) {
  Real k[7][Model::STATES], next[Model::STATES], done = 0;
  float previous = 1;
  model.rates(y, infusion, k[0]);
  for (int tries = 0; tries < MOST_STEPS; ++tries) {
    bool last = done + step >= length;
    Real h = last ? length - done : step;
    tsit5(model, infusion, y, h, k, next);
    float error = squared_error<Model>(y, next, h, k, to);
    bool good = error <= 1;  // a NaN is not
    if (good) {
      done += h;
#pragma unroll
      for (int i = 0; i < Model::STATES; ++i) y[i] = next[i], k[0][i] = k[6][i];
      if (last) return true;
    }
    // PI control in single precision; the exponents are halved, since the error is squared.
    float factor = 0.9f * powf(fmaxf(error, 1e-12f), -0.07f) * powf(previous, 0.04f);
    step = h * Real(error == error && error < 1e30f ? fminf(5.f, fmaxf(0.2f, factor)) : 0.1f);
    previous = good ? fmaxf(error, 1e-8f) : 1.f;
    if (!(step > length * Real(1e-9))) return false;
  }
  return false;
}

template <class Model>
ANYWHERE bool fixed(const Model& model, Real infusion, Real* y, Real length, int steps) {
  Real k[7][Model::STATES], next[Model::STATES], h = length / steps;
  model.rates(y, infusion, k[0]);
  for (int n = 0; n < steps; ++n) {
    tsit5(model, infusion, y, h, k, next);
#pragma unroll
    for (int i = 0; i < Model::STATES; ++i) y[i] = next[i], k[0][i] = k[6][i];
  }
  return true;
}

// One trajectory, recorded at out[(record * OUTPUTS + output) * n + i]; NaN from where it fails.
template <class Model>
ANYWHERE void trajectory(long i, long n, const Real* parameters, const Leg* legs, int count, Tolerance to, Real* out) {
  Real own[Model::PARAMETERS], y[Model::STATES], seen[Model::OUTPUTS], step = Real(1e-3);
#pragma unroll
  for (int j = 0; j < Model::PARAMETERS; ++j) own[j] = parameters[j * n + i];
  const Model model(own);
  model.start(y);
  bool good = true;
  long record = 0;
  for (int l = 0; l < count; ++l) {
    Leg leg = legs[l];
    y[0] += Real(leg.bolus);
    if (good && leg.length > 0)
      good = to.fixed_steps ? fixed(model, Real(leg.infusion), y, Real(leg.length), to.fixed_steps)
                            : adaptive(model, Real(leg.infusion), y, Real(leg.length), step, to);
    if (leg.record == 0) continue;
    model.outputs(y, seen);
#pragma unroll
    for (int o = 0; o < Model::OUTPUTS; ++o) out[(record * Model::OUTPUTS + o) * n + i] = good ? seen[o] : Real(NAN);
    ++record;
  }
}

// --- the program ------------------------------------------------------------------------------------------

template <class T>
std::vector<T> read_file(const std::string& path) {
  FILE* file = fopen(path.c_str(), "rb");
  if (!file) fprintf(stderr, "cannot read %s\n", path.c_str()), exit(1);
  fseek(file, 0, SEEK_END);
  std::vector<T> values(ftell(file) / sizeof(T));
  rewind(file);
  if (fread(values.data(), sizeof(T), values.size(), file) != values.size()) exit(1);
  fclose(file);
  return values;
}

inline double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

struct Run {
  std::vector<double> seconds, with_copy;  // solving alone; and with the outputs brought to the host
  std::string device;
};

#ifdef __CUDACC__
#define CHECK(call)                                                                            \
  do {                                                                                         \
    cudaError_t status = (call);                                                               \
    if (status != cudaSuccess) fprintf(stderr, "%s: %s\n", #call, cudaGetErrorString(status)), exit(1); \
  } while (0)

template <class Model>
__global__ void __launch_bounds__(64)
    solve_all(long n, const Real* parameters, const Leg* legs, int count, Tolerance to, Real* out) {
  long i = blockIdx.x * long(blockDim.x) + threadIdx.x;
  if (i < n) trajectory<Model>(i, n, parameters, legs, count, to, out);
}

template <class Model>
Run run(long n, const std::vector<Real>& parameters, const std::vector<Leg>& legs, Tolerance to, int repeats,
        std::vector<Real>& out) {
  Run told;
  cudaDeviceProp properties;
  CHECK(cudaGetDeviceProperties(&properties, 0));
  told.device = std::string("gpu (") + properties.name + ")";
  Real *device_parameters, *device_out;
  Leg* device_legs;
  CHECK(cudaMalloc(&device_parameters, parameters.size() * sizeof(Real)));
  CHECK(cudaMalloc(&device_out, out.size() * sizeof(Real)));
  CHECK(cudaMalloc(&device_legs, legs.size() * sizeof(Leg)));
  CHECK(cudaMemcpy(device_parameters, parameters.data(), parameters.size() * sizeof(Real), cudaMemcpyHostToDevice));
  CHECK(cudaMemcpy(device_legs, legs.data(), legs.size() * sizeof(Leg), cudaMemcpyHostToDevice));
  CHECK(cudaMemset(device_out, 0xff, out.size() * sizeof(Real)));  // all NaN: what is not written is seen
  cudaEvent_t begin, end;
  CHECK(cudaEventCreate(&begin));
  CHECK(cudaEventCreate(&end));
  for (int r = 0; r <= repeats; ++r) {  // the first is to warm up
    double clock = now();
    CHECK(cudaEventRecord(begin));
    solve_all<Model><<<(n + 63) / 64, 64>>>(n, device_parameters, device_legs, int(legs.size()), to, device_out);
    CHECK(cudaGetLastError());
    CHECK(cudaEventRecord(end));
    CHECK(cudaEventSynchronize(end));
    CHECK(cudaMemcpy(out.data(), device_out, out.size() * sizeof(Real), cudaMemcpyDeviceToHost));
    double with_copy = now() - clock;
    float milliseconds;
    CHECK(cudaEventElapsedTime(&milliseconds, begin, end));
    told.seconds.push_back(milliseconds / 1000.0);
    told.with_copy.push_back(with_copy);
  }
  return told;
}
#else
template <class Model>
Run run(long n, const std::vector<Real>& parameters, const std::vector<Leg>& legs, Tolerance to, int repeats,
        std::vector<Real>& out) {
  Run told;
  told.device = "cpu (cpu)";
  for (int r = 0; r <= repeats; ++r) {
    double clock = now();
    for (long i = 0; i < n; ++i)
      trajectory<Model>(i, n, parameters.data(), legs.data(), int(legs.size()), to, out.data());
    told.seconds.push_back(now() - clock);
    told.with_copy.push_back(told.seconds.back());
  }
  return told;
}
#endif

inline void print_list(const char* name, const std::vector<double>& values) {
  printf("\"%s\": [", name);
  for (size_t i = 0; i < values.size(); ++i) printf("%s%.9g", i ? ", " : "", values[i]);
  printf("], ");
}

// program FOLDER N RTOL ATOL FIXED_STEPS REPEATS: FOLDER holds parameters.bin (double, one row a parameter), legs.bin
// and checked.bin (long); courses.bin (double: checked, output, record) is written there, and JSON printed.
template <class Model>
int program(int count, char** words) {
  if (count != 7) return fprintf(stderr, "%s FOLDER N RTOL ATOL FIXED_STEPS REPEATS\n", words[0]), 2;
  std::string folder = words[1];
  long n = atol(words[2]);
  Tolerance to{Real(atof(words[3])), Real(atof(words[4])), atoi(words[5])};
  std::vector<double> given = read_file<double>(folder + "/parameters.bin");
  if (long(given.size()) != n * Model::PARAMETERS) return fprintf(stderr, "parameters.bin is not of %ld\n", n), 2;
  std::vector<Real> parameters(given.begin(), given.end());
  std::vector<double>().swap(given);
  std::vector<Leg> legs = read_file<Leg>(folder + "/legs.bin");
  std::vector<long> checked = read_file<long>(folder + "/checked.bin");
  long records = 0;
  for (const Leg& leg : legs) records += leg.record != 0;
  std::vector<Real> out(size_t(records) * Model::OUTPUTS * n);
  Run told = run<Model>(n, parameters, legs, to, atoi(words[6]), out);
  long failed = 0;
  for (long i = 0; i < n; ++i) {
    bool good = true;
    for (long r = 0; r < records * Model::OUTPUTS; ++r) good &= bool(std::isfinite(out[r * n + i]));
    failed += !good;
  }
  std::vector<double> courses;
  for (long i : checked)
    for (int o = 0; o < Model::OUTPUTS; ++o)
      for (long r = 0; r < records; ++r) courses.push_back(out[(r * Model::OUTPUTS + o) * n + i]);
  FILE* file = fopen((folder + "/courses.bin").c_str(), "wb");
  if (!file || fwrite(courses.data(), sizeof(double), courses.size(), file) != courses.size()) return 1;
  fclose(file);
  printf("{");
  print_list("seconds", told.seconds);
  print_list("with_copy", told.with_copy);
  printf("\"failed\": %ld, \"device\": \"%s\"}\n", failed, told.device.c_str());
  return 0;
}
