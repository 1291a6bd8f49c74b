# The services that WSUS needs
Get-Service WsusService, W3SVC, WAS, BITS, 'MSSQL*' -ErrorAction SilentlyContinue |
    Format-List Name, DisplayName, Status
