// The part of ExecuTorch's executor_runner that `pripro measure --device` relies on, for hosts whose wheel has no
// runner: same flags, same lines; --cpu_threads is taken and ignored (the wheel has no header for it). Inputs are raw float32 files; their shapes come from the program.
#include <executorch/extension/module/module.h>
#include <executorch/extension/tensor/tensor.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <string>
#include <vector>

using Clock = std::chrono::steady_clock;
using executorch::extension::Module;

static double ms_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

int main(int argc, char** argv) {
  std::map<std::string, std::string> flags{{"num_executions", "1"}, {"cpu_threads", "1"}};
  for (int i = 1; i < argc; ++i) {
    const std::string text(argv[i]);
    const auto equals = text.find('=');
    if (text.rfind("--", 0) != 0 || equals == std::string::npos) {
      std::fprintf(stderr, "ERROR: unknown command line flag '%s'\n", argv[i]);
      return 1;
    }
    flags[text.substr(2, equals - 2)] = text.substr(equals + 1);
  }
  const auto begin = Clock::now();
  Module module(flags["model_path"]);
  if (module.load_forward() != executorch::runtime::Error::Ok) {
    std::fprintf(stderr, "Loading of method forward failed\n");
    return 134;
  }
  std::fprintf(stderr, "Model loaded in %f ms.\n", ms_since(begin));
  const auto meta = module.method_meta("forward");
  std::vector<std::vector<char>> data;
  std::vector<executorch::extension::TensorPtr> tensors;
  std::vector<executorch::runtime::EValue> inputs;
  std::stringstream paths(flags["inputs"]);
  for (std::string path; std::getline(paths, path, ',');) {
    std::ifstream file(path, std::ios::binary);
    data.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    const auto sizes = meta->input_tensor_meta(tensors.size())->sizes();
    tensors.push_back(executorch::extension::from_blob(data.back().data(), {sizes.begin(), sizes.end()}));
    inputs.emplace_back(*tensors.back());
  }
  const int runs = std::atoi(flags["num_executions"].c_str());
  for (int i = 1; i <= runs; ++i) {
    const auto start = Clock::now();
    const auto result = module.forward(inputs);
    const double ms = ms_since(start);
    if (!result.ok()) {
      std::fprintf(stderr, "Execution of method forward failed\n");
      return 134;
    }
    std::fprintf(stderr, "Iteration %d of %d: %f ms\n", i, runs, ms);
  }
}
