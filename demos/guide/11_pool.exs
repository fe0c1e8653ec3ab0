# demos/guide/11_pool.exs - a pool of connections: the original of 11_pool.c. Run it: elixir 11_pool.exs
defmodule Pool do
  use GenServer

  def start_link(connections), do: GenServer.start_link(__MODULE__, connections, name: __MODULE__)

  def checkout(timeout \\ 5_000) do
    GenServer.call(__MODULE__, :checkout, timeout)
  catch
    :exit, reason ->
      GenServer.cast(__MODULE__, {:checkin, self()})
      exit(reason)
  end

  def checkin, do: GenServer.cast(__MODULE__, {:checkin, self()})
  def status, do: GenServer.call(__MODULE__, :status)

  @impl true
  def init(connections), do: {:ok, %{free: connections, lent: [], waiting: []}}

  @impl true
  def handle_call(:checkout, {pid, _} = from, state) do
    monitor = Process.monitor(pid)

    case state.free do
      [connection | free] ->
        {:reply, connection, lend(%{state | free: free}, pid, monitor, connection)}

      [] ->
        {:noreply, %{state | waiting: state.waiting ++ [{from, monitor}]}}
    end
  end

  def handle_call(:status, _from, state) do
    {:reply, {length(state.free), length(state.lent), length(state.waiting)}, state}
  end

  @impl true
  def handle_cast({:checkin, pid}, state), do: {:noreply, forget(state, pid)}

  @impl true
  def handle_info({:DOWN, _monitor, :process, pid, _reason}, state), do: {:noreply, forget(state, pid)}

  defp lend(state, pid, monitor, connection) do
    %{state | lent: [{pid, monitor, connection} | state.lent]}
  end

  # Whoever it is has no connection any more, and waits for none.
  defp forget(state, pid) do
    {gone, waiting} = Enum.split_with(state.waiting, fn {{waiter, _}, _} -> waiter == pid end)
    Enum.each(gone, fn {_, monitor} -> Process.demonitor(monitor, [:flush]) end)
    state = %{state | waiting: waiting}

    case List.keytake(state.lent, pid, 0) do
      {{_, monitor, connection}, lent} ->
        Process.demonitor(monitor, [:flush])
        pass_on(%{state | lent: lent}, connection)

      nil ->
        state
    end
  end

  defp pass_on(%{waiting: [{{pid, _} = from, monitor} | waiting]} = state, connection) do
    GenServer.reply(from, connection)
    lend(%{state | waiting: waiting}, pid, monitor, connection)
  end

  defp pass_on(state, connection), do: %{state | free: [connection | state.free]}
end

defmodule Story do
  def borrow(who, teller) do
    spawn(fn ->
      send(teller, {who, Pool.checkout()})
      Process.sleep(:infinity)
    end)
  end

  def hear do
    receive do
      {who, connection} -> IO.puts("the #{who} has connection #{connection}")
    end
  end

  def wait_for(status), do: Pool.status() == status || (Process.sleep(1) && wait_for(status))
end

{:ok, _} = Pool.start_link([1, 2])
IO.puts("I have connection #{Pool.checkout()}")
holder = Story.borrow("holder", self())
Story.hear()
waiter = Story.borrow("waiter", self())
Story.wait_for({0, 2, 1})
IO.puts("one waits")
Process.exit(holder, :kill)
Story.hear()
Process.exit(waiter, :kill)
Pool.checkin()
Story.wait_for({2, 0, 0})
IO.puts("all are back")
