# frozen_string_literal: true

require_relative "processes"
require_relative "server"
require_relative "syscalls"

module Bench
  # What only concerns our own server: memory of its idle processes, and system calls a request.
  module OwnCost
    AGENT = "passenger-agent"
    IDLE_SECONDS = 3

    module_function

    # +command+ starts our server, +dir+ holds the application. nil when it does not run.
    def measure(command, dir)
      Server.run(command, dir) do |server|
        idle = idle_memory(server)
        syscalls = Syscalls.measure(server)
        { idle:, idle_after_load: idle_memory(server), syscalls: }
      end
    rescue Server::Failed => e
      warn e.message
    end

    def to_markdown(measured)
      syscalls = measured[:syscalls]
      <<~TEXT
        ## Ours alone (hello)

        #{lines('idle after start', measured[:idle])}
        #{lines('idle after load', measured[:idle_after_load])}

        System calls a request at c=#{Syscalls::CONNECTIONS}, all processes: **#{syscalls[:total]}**
        (#{syscalls[:by_name].map { |name, count| "#{name} #{count}" }.join(', ')})
      TEXT
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

    def lines(moment, processes)
      processes.map do |role, kib|
        "- #{role}, #{moment}: #{kib[:private]} KiB private (#{kib[:private_dirty]} dirty), #{kib[:pss]} PSS"
      end.join("\n")
    end

    private_class_method :idle_memory, :figures, :lines
  end
end
