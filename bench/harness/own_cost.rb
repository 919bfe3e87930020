# frozen_string_literal: true

require_relative "syscalls"

module Bench
  # What only concerns our own server: memory of its idle processes, and system calls a request.
  module OwnCost
    AGENT = "passenger-agent"
    IDLE_SECONDS = 3

    module_function

    def measure(command, dir)
      Server.run(command, dir) do |server|
        idle = idle_memory(server)
        syscalls = Syscalls.measure(server)
        { idle:, idle_after_load: idle_memory(server), syscalls: }
      end
    end

    # { "agent" => { private:, private_dirty:, pss: } in KiB, ... } after IDLE_SECONDS without a request; with the
    # watchdog, which is the agent's parent and the same executable, when there is one.
    def idle_memory(server)
      sleep IDLE_SECONDS
      pids = server.pids.select { |pid| File.basename(File.readlink("/proc/#{pid}/exe")) == AGENT }
      agent = pids.find { |pid| pid != server.pid } || server.pid
      pids.to_h { |pid| [pid == agent ? "agent" : "watchdog", figures(pid)] }
    end

    def figures(pid)
      { private: Processes.memory([pid], "Private_Clean", "Private_Dirty"),
        private_dirty: Processes.memory([pid], "Private_Dirty"), pss: Processes.memory([pid], "Pss") }
    end

    private_class_method :idle_memory, :figures
  end
end
