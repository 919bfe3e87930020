# frozen_string_literal: true

require "etc"

module Bench
  # Where the figures come from: without it they mean nothing.
  module Machine
    module_function

    # +language+ is { name => version } of what the applications are written in.
    def to_h(language)
      {
        cpu: File.read("/proc/cpuinfo")[/^model name\s*: (.+)$/, 1],
        cores: Etc.nprocessors,
        memory: "#{File.read('/proc/meminfo')[/^MemTotal: +(\d+)/, 1].to_i / 1024} MB",
        kernel: Etc.uname[:release],
        system: File.read("/etc/os-release")[/^PRETTY_NAME="(.+)"$/, 1],
        **language,
        load_before: File.read("/proc/loadavg").split.first(3).join(" ")
      }
    end
  end
end
