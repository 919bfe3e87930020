# frozen_string_literal: true

require "etc"
require "fiddle"

module Bench
  # The processes of the server under test, read from /proc. Servers that daemonize stay in sight because the benchmark
  # is a child subreaper: whatever loses its parent becomes the benchmark's own child. Only one server runs at a time,
  # so its processes are all descendants of this one.
  module Processes
    TICKS_PER_SECOND = Etc.sysconf(Etc::SC_CLK_TCK)
    PR_SET_CHILD_SUBREAPER = 36

    module_function

    def become_subreaper
      prctl = Fiddle::Function.new(Fiddle.dlopen(nil)["prctl"], [Fiddle::TYPE_INT, Fiddle::TYPE_LONG], Fiddle::TYPE_INT)
      raise "prctl(PR_SET_CHILD_SUBREAPER) failed" unless prctl.call(PR_SET_CHILD_SUBREAPER, 1).zero?
    end

    # Pids of the benchmark's own living children; zombies are reaped on the way.
    def children = by_parent.fetch(Process.pid, [])

    # Pids of all living descendants; zombies are reaped on the way.
    def descendants = walk(Process.pid, by_parent)

    # CPU time each process has used so far: { pid => microseconds, user and system }. With that of its children that
    # ended: who starts a process for a while pays for it.
    def cpu(pids)
      pids.filter_map { |pid| (fields = stat(pid)) && [pid, microseconds(fields)] }.to_h
    end

    # One figure of smaps_rollup summed over +pids+, in KiB; names as there: Pss, Private_Dirty, ...
    def memory(pids, *names)
      pids.sum do |pid|
        rollup = File.read("/proc/#{pid}/smaps_rollup")
        names.sum { |name| rollup[/^#{name}: +(\d+)/, 1].to_i }
      rescue Errno::ENOENT, Errno::ESRCH
        0
      end
    end

    # Fields of /proc/PID/stat from the state on (the command's name may contain anything); nil when it is gone.
    def stat(pid)
      File.read("/proc/#{pid}/stat").rpartition(")").last.split
    rescue Errno::ENOENT, Errno::ESRCH
      nil
    end

    def microseconds(fields)
      fields[11..14].sum(&:to_i) * 1_000_000 / TICKS_PER_SECOND
    end

    def by_parent
      reap
      pids = Dir.children("/proc").filter_map { |entry| Integer(entry, exception: false) }
      pids.group_by { |pid| stat(pid)&.at(1).to_i }
    end

    def walk(pid, by_parent)
      by_parent.fetch(pid, []).flat_map { |child| [child, *walk(child, by_parent)] }
    end

    def reap
      loop { break unless Process.wait(-1, Process::WNOHANG) }
    rescue Errno::ECHILD
      nil
    end

    private_class_method :stat, :microseconds, :by_parent, :walk, :reap
  end
end
